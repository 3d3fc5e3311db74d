"""A sweep's plan, looked at without training anything."""

import pytest

from service.config import from_preset
from service.errors import InvalidInput
from service.search.sweep import Sweep


def changes(**given) -> list[dict]:
    return [trial.changes for trial in Sweep(**given).plan()]


def test_a_grid_has_every_combination_once_and_the_last_field_moves_fastest():
    assert changes(over={"optimizer.lr": [0.1, 0.3], "seed": [7, 8]}) == [
        {"optimizer.lr": 0.1, "seed": 7},
        {"optimizer.lr": 0.1, "seed": 8},
        {"optimizer.lr": 0.3, "seed": 7},
        {"optimizer.lr": 0.3, "seed": 8},
    ]


def test_a_trial_is_its_network_s_preset_under_the_base_under_its_own_changes():
    sweep = Sweep(
        base={"optimizer": {"momentum": 0.5}}, over={"model": ["lenet", "lenet-relu"], "averaging.shards": [2]}
    )
    for trial, model in zip(sweep.plan(), ["lenet", "lenet-relu"], strict=True):
        given = {"model": model, "optimizer": {"momentum": 0.5}, "averaging": {"shards": 2}}
        assert trial.config == from_preset(given)


def test_a_group_of_fields_can_be_tried_as_one():
    groups = [{"shards": 1}, {"shards": 4, "average_every": 59}]
    shards = [
        (trial.config.averaging.shards, trial.config.averaging.average_every)
        for trial in Sweep(base={"averaging": {"average_every": 7}}, over={"averaging": groups}).plan()
    ]
    assert shards == [(1, 7), (4, 59)]


def test_draws_stay_in_their_bounds_and_do_not_depend_on_how_many_there_are():
    over = {"optimizer.lr": {"low": 0.01, "high": 1.0, "log": True}, "averaging.shards": {"low": 1, "high": 8}}
    many, few = changes(over=over, trials=200), changes(over=over, trials=20)
    assert many[:20] == few
    rates = [drawn["optimizer.lr"] for drawn in many]
    assert all(0.01 <= rate <= 1 for rate in rates)
    assert 70 <= sum(rate < 0.1 for rate in rates) <= 130  # half of the decades, within four standard deviations
    assert {drawn["averaging.shards"] for drawn in many} == set(range(1, 9))
    assert changes(over=over, trials=20, seed=1) != few


WRONG = {
    "unknown field": ({"over": {"optimizer.speed": [1]}}, "optimizer.speed"),
    "value out of bounds": ({"over": {"averaging.shards": [2, 0]}}, "averaging.shards must be greater than or equal"),
    "range without a number of trials": ({"over": {"optimizer.lr": {"low": 0, "high": 1}}}, "say with trials how many"),
    "an option that no strategy reads": (
        {"base": {"averaging": {"strategy": "fedavg"}}, "over": {"averaging.outer_momentum": [0.1, 0.5]}},
        "averaging.outer_momentum has no effect, since strategy fedavg doesn't read it",
    ),
    "one rung": (
        {"base": {"epochs": 4, "holdout": 9}, "over": {"seed": [0, 1]}, "halving": 2, "min_epochs": 4},
        "min_epochs must be less than the 4 epochs of the trials",
    ),
    "no values": ({"over": {"seed": []}}, "1 to 10000 trials, these values make 0"),
    "no values to draw from": ({"over": {"seed": []}, "trials": 3}, "seed must have values"),
    "far too many": ({"over": {"seed": list(range(200)), "epochs": list(range(1, 200))}}, "these values make 39800"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_can_not_be_tried_is_told_in_one_line(case: str):
    given, message = WRONG[case]
    with pytest.raises(InvalidInput, match=message) as told:
        Sweep(**given).plan()
    assert "\n" not in str(told.value)
