"""What is picked for a number of shards where nothing else is said of averaging."""

from math import log
from typing import Any

import pytest

from service.config import AveragingConfig, from_preset
from service.search.study.cells import PLATEAU_CELLS
from service.training.recommended import recommended_averaging


def picked(given: dict[str, Any], classes: int = 10) -> dict[str, Any] | None:
    found = recommended_averaging(from_preset(given), given, lambda: log(classes))
    return dict(found.options) if found else None


ALWAYS = {"solo_share": 0.5, "solo_loss": 1.5, "final_average": "plain"}


@pytest.mark.parametrize(
    ("shards", "every"), [(1, 59), (2, 59), (3, 59), (5, 59), (8, 59), (9, 30), (16, 30), (64, 30)]
)
def test_a_start_ends_by_the_loss_and_many_shards_are_averaged_more_often(shards: int, every: int):
    options = picked({"averaging": {"shards": shards}})
    assert options == {**ALWAYS, "average_every": every, "outer_momentum": 0.9}
    config = from_preset({"averaging": {"shards": shards, **options}}).averaging
    assert config == AveragingConfig(
        shards=shards,
        average_every=every,
        outer_momentum=0.9,
        solo_share=0.5,
        solo_loss=1.5,
        final_average="plain",
    )


@pytest.mark.parametrize(("batch_size", "every"), [(16 * 32 - 1, 30), (16 * 32, 59)])
def test_many_shards_that_take_enough_examples_each_are_averaged_as_a_few(batch_size: int, every: int):
    options = picked({"averaging": {"shards": 16}, "batch_size": batch_size})
    assert options is not None
    assert options["average_every"] == every


@pytest.mark.parametrize(("classes", "loss"), [(1, 0.0), (2, 0.45), (10, 1.5), (47, 2.5), (100, 2.99)])
def test_the_loss_that_ends_the_start_follows_that_of_guessing(classes: int, loss: float):
    options = picked({"averaging": {"shards": 2}}, classes)
    assert options is not None
    assert options["solo_loss"] == loss


@pytest.mark.parametrize("optimizer", [{"momentum": 0.5}, {"optimizer": "adamw", "lr": 0.01}], ids=str)
def test_no_more_momentum_is_picked_where_the_steps_have_their_own(optimizer: dict[str, Any]):
    assert picked({"averaging": {"shards": 16}, "optimizer": optimizer}) == ALWAYS


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
    for given, said in (
        ({}, "--average-every 30 --outer-momentum 0.9, because one task goes on alone"),
        ({"optimizer": {"momentum": 0.9}}, "--final-average plain, because one task goes on alone"),
    ):
        whole = {"averaging": {"shards": 16}, **given}
        found = recommended_averaging(from_preset(whole), whole, lambda: log(10))
        assert found is not None
        assert found.why.startswith("averaging 16 shards: --solo-share 0.5 --solo-loss 1.5 --final-average plain")
        assert said in found.why
        assert "\n" not in found.why


def test_the_study_tries_what_is_picked():
    for cell in PLATEAU_CELLS:
        options = picked({"averaging": {"shards": cell.shards}})
        assert options is None or options.items() <= cell.averaging.items()
    assert {cell.shards for cell in PLATEAU_CELLS} == {1, 2, 4, 8, 16, 32}
