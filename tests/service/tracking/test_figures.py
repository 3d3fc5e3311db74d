"""What trackers show of the round log."""

from service.tracking.figures import Figure, figures_of, measured_afterwards

AT = "2026-11-28T01:00:00+00:00"
SECONDS = 1795827600.0


def test_a_round_an_epoch_and_an_evaluation_become_figures_with_steps_from_one():
    apart = {"kind": "round", "at": AT, "round": 4, "loss": 0.5, "accuracy": 0.75, "solo": False, "dispersion": 2.0}
    assert list(figures_of(apart)) == [
        Figure("round/loss", 0.5, 5, SECONDS),
        Figure("round/accuracy", 0.75, 5, SECONDS),
        Figure("round/dispersion", 2.0, 5, SECONDS),
    ]
    assert [figure.name for figure in figures_of({**apart, "solo": True})] == ["round/loss", "round/accuracy"]
    epoch = {"kind": "epoch", "at": AT, "epoch": 0, "train_loss": 0.25, "train_accuracy": 0.5, "examples_per_s": 9.0}
    assert {(f.name, f.value, f.step) for f in figures_of(epoch)} == {
        ("loss/train", 0.25, 1),
        ("accuracy/train", 0.5, 1),
        ("examples_per_s", 9.0, 1),
    }
    test, held = {"loss": 0.1, "accuracy": 0.9, "examples": 5}, {"loss": 0.2, "accuracy": 0.8, "examples": 5}
    evaluation = {"kind": "evaluation", "at": AT, "epoch": 2, "test": test, "validation": held}
    assert {(f.name, f.value, f.step) for f in figures_of(evaluation)} == {
        ("loss/test", 0.1, 3),
        ("accuracy/test", 0.9, 3),
        ("loss/validation", 0.2, 3),
        ("accuracy/validation", 0.8, 3),
    }
    assert list(figures_of({"kind": "begin", "at": AT})) == []


def test_what_was_measured_after_the_training_comes_as_lines_that_the_log_lacks():
    history = [
        {"epoch": 1, "test_loss": 0.5, "test_accuracy": 0.6},
        {"epoch": 2, "test_loss": None, "test_accuracy": None},
        {"epoch": 3, "test_loss": 0.3, "test_accuracy": 0.8, "validation_loss": 0.4, "validation_accuracy": 0.7},
    ]
    assert [entry["epoch"] for entry in measured_afterwards(history, {0}, AT)] == [2]
    (last,) = measured_afterwards(history, {0}, AT)
    assert {(f.name, f.value) for f in figures_of(last)} == {
        ("loss/test", 0.3),
        ("accuracy/test", 0.8),
        ("loss/validation", 0.4),
        ("accuracy/validation", 0.7),
    }
