"""What is picked for a number of shards where nothing else is said of averaging."""

from typing import Any

import pytest

from service.config import AveragingConfig, from_preset
from service.training.recommended import recommended_averaging


def picked(given: dict[str, Any]) -> dict[str, Any] | None:
    found = recommended_averaging(from_preset(given), given)
    return dict(found.options) if found else None


@pytest.mark.parametrize("shards", [1, 2, 3, 5, 8])
def test_a_few_shards_end_with_their_mean(shards: int):
    assert picked({"averaging": {"shards": shards}}) == {"final_average": "plain"}


@pytest.mark.parametrize("shards", [9, 16, 32, 64])
def test_many_shards_are_averaged_after_every_step_at_first(shards: int):
    options = picked({"averaging": {"shards": shards}})
    assert options == {"first_average_every": 1, "final_average": "plain"}
    config = from_preset({"averaging": {"shards": shards, **options}}).averaging
    assert config == AveragingConfig(shards=shards, first_average_every=1, final_average="plain")


@pytest.mark.parametrize(("batch_size", "grows"), [(16 * 32 - 1, True), (16 * 32, False)])
def test_many_shards_that_take_enough_examples_each_are_averaged_as_a_few(batch_size: int, grows: bool):
    options = picked({"averaging": {"shards": 16}, "batch_size": batch_size})
    assert options is not None
    assert ("first_average_every" in options) == grows


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"averaging": {"shards": 4}},
        {"averaging": {"shards": 16, "average_every": 59}},
        {"averaging": {"average_every": 59}},
        {"model": "lenet-relu", "averaging": {"shards": 16}},
        {"epochs": 3, "optimizer": {"lr": 0.3}},
    ],
    ids=str,
)
def test_what_is_said_wins_and_the_defaults_own_number_of_shards_keeps_its_bits(given: dict[str, Any]):
    assert picked(given) is None


def test_the_reason_names_the_options_as_the_command_line_takes_them_in_one_line():
    for shards, said in ((2, "--final-average plain, "), (16, "--first-average-every 1 --final-average plain, ")):
        given = {"averaging": {"shards": shards}}
        found = recommended_averaging(from_preset(given), given)
        assert found is not None
        assert found.why.startswith(f"averaging {shards} shards: {said}because ")
        assert ("steps of 16 examples are too noisy" in found.why) == (shards == 16)
        assert "\n" not in found.why
