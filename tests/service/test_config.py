from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from service.config import TrainConfig, explain, from_preset
from service.errors import InvalidInput
from service.networks.presets import PRESETS
from service.search.sweep import Sweep


@pytest.mark.parametrize("network", PRESETS)
def test_what_is_left_out_comes_from_the_preset_of_the_network(network: str):
    dumped = from_preset({"model": network}).model_dump()
    for name, value in PRESETS[network].items():
        if isinstance(value, dict):
            assert {field: dumped[name][field] for field in value} == value
        else:
            assert dumped[name] == value


def test_what_is_given_counts_more_than_the_preset_field_by_field():
    config = from_preset({"model": "lenet-relu", "epochs": 3, "averaging": {"shards": 7}})
    assert (config.epochs, config.batch_size) == (3, 128)
    assert (config.averaging.shards, config.averaging.average_every, config.averaging.outer_momentum) == (7, 469, 0.5)


def test_a_network_without_a_preset_has_the_defaults_of_the_fields():
    assert from_preset({}) == from_preset({"model": "lenet"}) == TrainConfig()
    assert TrainConfig().optimizer.lr == 0.9


@pytest.mark.parametrize("network", ["lenet", *PRESETS])
def test_a_configuration_that_was_written_down_is_read_as_it_was(network: str):
    config = from_preset({"model": network, "seed": 5, "optimizer": {"momentum": 0.25}})
    assert TrainConfig.model_validate(config.model_dump(mode="json")) == config
    assert TrainConfig.model_validate_json(config.model_dump_json()) == config
    # even where every value of the preset was set to something else
    plain = TrainConfig.model_validate({**TrainConfig().model_dump(), "model": network})
    assert plain.model_dump() == {**TrainConfig().model_dump(), "model": network}


@pytest.mark.parametrize("model", [[1], {}, None, 3, "resnet"])
def test_a_network_that_is_none_is_refused_in_one_line(model: Any):
    with pytest.raises(InvalidInput, match=r"^model must be .*'lenet'.*, got ") as refusal:
        from_preset({"model": model})
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ({"optimizer": 3}, "optimizer"),
        ({"averaging": []}, "averaging"),
        ({"nonsense": 1}, "nonsense"),
        ({"optimizer": {"lr": "fast"}}, "optimizer.lr"),
        ({"averaging": {"strategy": 5}}, "averaging.strategy"),
    ],
)
def test_what_is_wrong_is_said_in_one_line_with_the_path_of_the_field(given: dict[str, Any], path: str):
    with pytest.raises(InvalidInput, match=f"^{path} must ") as refusal:
        from_preset(given)
    assert "\n" not in str(refusal.value)


def test_a_message_leaves_out_the_names_of_pydantics_types():
    with pytest.raises(ValidationError) as error:
        Sweep.model_validate({"over": {"lr": {"low": 0.1, "high": ""}}})
    assert str(explain(error.value)).startswith("over.lr must ")


@pytest.mark.parametrize("kind", [int | list[int], float | list[int], str | list[int], bool | list[int]])
def test_a_message_leaves_out_which_type_of_several_was_tried(kind: Any):
    with pytest.raises(ValidationError) as error:
        TypeAdapter(dict[str, list[kind]]).validate_python({"rates": [[1], {}]})
    assert str(explain(error.value)).startswith("rates.1 must ")


def test_a_model_is_called_after_its_network_if_it_has_no_name():
    assert TrainConfig(model="mlp").published_name == "mlp"
    assert TrainConfig(model="mlp", name="mine").published_name == "mine"


def test_a_model_is_called_after_its_data_set_too_if_that_is_not_the_default_one():
    assert TrainConfig(model="lenet", dataset="emnist").published_name == "lenet-emnist"
    assert TrainConfig(model="lenet", dataset="emnist", name="mine").published_name == "mine"
    assert TrainConfig(model="lenet", dataset="x" * 64).published_name == "lenet-" + "x" * 58
    assert TrainConfig(model="lenet", dataset="x" * 57 + ".y").published_name == "lenet-" + "x" * 57
