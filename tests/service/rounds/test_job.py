"""What an engine compiles in is what the configuration says."""

from service.config import from_preset
from service.rounds.job import step_config_for


def test_every_setting_of_a_step_comes_from_the_configuration():
    config = from_preset(
        {
            "optimizer": {"momentum": 0.5, "nesterov": True, "weight_decay": 0.01, "label_smoothing": 0.1},
            "augment": {"flip": True, "shift": 3},
            "precision": "tf32",
        }
    )
    step = step_config_for(config)
    assert (step.momentum, step.nesterov, step.weight_decay, step.label_smoothing) == (0.5, True, 0.01, 0.1)
    assert (step.flip, step.shift, step.precision) == (True, 3, "tf32")
    assert step_config_for(from_preset({})).precision == "float32"
