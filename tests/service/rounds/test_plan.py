from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given

from service.config import from_preset
from service.errors import InvalidInput
from service.rounds.plan import Measured, Plan, Round, plan_for, shuffle
from service.rounds.strategies import Interval, Progress
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.post_local_sgd import PostLocalSGD
from tests.service.rounds.drawn_plans import examples_seen, plans

SHUFFLED = [7, 1, 9, 6, 8, 0, 5, 3, 2, 4]

PLANS = plans(most_epochs=3)


@given(plan=PLANS)
def test_every_example_is_seen_exactly_once_in_each_epoch(plan: Plan):
    assert examples_seen(plan) == [list(range(plan.examples))] * plan.epochs


@given(plan=PLANS)
def test_one_round_is_the_last_of_the_training_and_no_other(plan: Plan):
    rounds = list(plan.rounds())
    assert [round_ for round_ in rounds if plan.is_last(round_)] == rounds[-1:]


@given(plan=PLANS)
def test_the_shards_of_a_step_together_take_the_batch_that_one_process_would(plan: Plan):
    alone = Plan(**{**plan.__dict__, "shards": 1})
    sole = [alone.batches(round_, 0) for round_ in alone.rounds()]
    batches = [examples[a:b] for examples, offsets in sole for a, b in pairwise(offsets)]
    for round_ in plan.rounds():
        parts = [plan.batches(round_, shard) for shard in range(round_.shards)]
        for step in range(round_.last - round_.first):
            together = np.concatenate([examples[offsets[step] : offsets[step + 1]] for examples, offsets in parts])
            number = round_.epoch * plan.steps_per_epoch + round_.first + step
            np.testing.assert_array_equal(together, batches[number])


@given(plan=PLANS)
def test_rounds_follow_one_another_within_epochs_and_keep_the_solo_steps_alone(plan: Plan):
    rounds = list(plan.rounds())
    solo_steps = round(plan.strategy.share * plan.steps)
    assert [r.number for r in rounds] == list(range(len(rounds)))
    assert sum(r.last - r.first for r in rounds) == plan.steps
    for r in rounds:
        assert 0 <= r.first < r.last <= plan.steps_per_epoch
        assert r.last - r.first <= plan.strategy.every
        global_steps = range(r.epoch * plan.steps_per_epoch + r.first, r.epoch * plan.steps_per_epoch + r.last)
        assert {step < solo_steps for step in global_steps} == {r.solo}
        assert r.shards == (1 if r.solo else plan.shards)


@given(plan=PLANS)
def test_shards_differ_by_at_most_one_example_a_step(plan: Plan):
    for round_ in plan.rounds():
        sizes = np.array([np.diff(plan.batches(round_, shard)[1]) for shard in range(round_.shards)])
        assert (sizes.max(axis=0) - sizes.min(axis=0)).max() <= 1


def orders(seed: int) -> list[bytes]:
    """The order in which each epoch of a run visits its examples."""
    plan = plan_for(from_preset({"epochs": 8, "seed": seed, "averaging": {"shards": 1}}), 1000)
    epochs: dict[int, list[np.ndarray]] = {}
    for round_ in plan.rounds():
        epochs.setdefault(round_.epoch, []).append(plan.batches(round_, 0)[0])
    return [np.concatenate(epochs[epoch]).tobytes() for epoch in range(8)]


def test_every_epoch_has_another_order_and_so_has_every_seed():
    assert len(set(orders(0) + orders(1))) == 16


def test_the_same_seed_has_the_same_orders():
    assert orders(3) == orders(3)


def test_the_order_of_an_epoch_is_the_one_that_runs_on_disk_were_trained_in():
    """Another draw would be as good, but no run could be verified any more."""
    assert shuffle(0, 0, 10).tolist() == SHUFFLED
    assert shuffle(0, 1, 10).tolist() != SHUFFLED


def test_nobody_can_change_an_order_that_others_use():
    with pytest.raises(ValueError, match="read-only"):
        shuffle(0, 0, 10)[0] = 3


def test_an_order_is_shuffled_well():
    # Of 1000 examples about one stays in its place; neighbours seldom stay neighbours. Fixed seeds: nothing is random.
    for order in (np.frombuffer(order, np.int32) for order in orders(0)):
        assert (order == np.arange(1000)).sum() < 10
        assert (np.abs(np.diff(order)) == 1).sum() < 10


def test_more_shards_than_examples_are_refused():
    assert plan_for(from_preset({}), 4).shards == 4
    with pytest.raises(InvalidInput, match="at most the number of examples, 3, got 4"):
        plan_for(from_preset({}), 3)


def test_the_examples_that_are_held_out_are_the_last_ones():
    plan = plan_for(from_preset({"epochs": 1, "holdout": 300}), 1000)
    seen = np.concatenate([plan.batches(r, shard)[0] for r in plan.rounds() for shard in range(r.shards)])
    assert sorted(seen) == list(range(700))


@pytest.mark.parametrize("holdout", [1000, 1001])
def test_to_hold_out_all_examples_is_refused(holdout: int):
    with pytest.raises(InvalidInput, match=f"holdout must be less than the number of examples, 1000, got {holdout}"):
        plan_for(from_preset({"holdout": holdout}), 1000)


@given(plan=PLANS)
def test_how_far_a_run_is_follows_from_its_rounds(plan: Plan):
    examples = steps = 0
    for round_ in plan.rounds():
        examples += sum(len(plan.batches(round_, shard)[0]) for shard in range(round_.shards))
        steps += round_.last - round_.first
        assert plan.examples_after(round_) == examples
        assert plan.share_after(round_.epoch, round_.last) == pytest.approx(steps / plan.steps)
    assert examples == plan.epochs * plan.examples


@given(plan=PLANS)
def test_which_steps_are_taken_alone_can_be_asked_of_each(plan: Plan):
    for round_ in plan.rounds():
        assert plan.is_solo(round_.epoch, round_.first) == plan.is_solo(round_.epoch, round_.last - 1) == round_.solo


def test_an_interval_of_no_steps_is_refused():
    plan = Plan(examples=9, epochs=1, batch_size=1, seed=0, shards=1, strategy=FedAvg(0))
    with pytest.raises(InvalidInput, match="interval must be at least 1 step, got 0"):
        plan.first_round()


def test_a_run_that_extends_another_begins_with_the_epoch_after_it():
    plan = plan_for(from_preset({"epochs": 5, "first_epoch": 3, "batch_size": 50}), 120)
    rounds = list(plan.rounds())
    assert [(rounds[0].number, rounds[0].epoch, rounds[0].first), rounds[-1].epoch] == [(0, 3, 0), 4]
    ends = [round_ for round_ in rounds if plan.ends_epoch(round_)]
    assert [plan.examples_after(round_) for round_ in ends] == [120, 240]
    assert [plan.share_after(round_.epoch, round_.last) for round_ in ends] == [0.5, 1.0]


def test_a_run_that_would_begin_after_its_last_epoch_is_refused():
    with pytest.raises(InvalidInput) as refused:
        plan_for(from_preset({"epochs": 3, "first_epoch": 3}), 100)
    assert str(refused.value) == "first_epoch must be less than epochs, 3, got 3"


@pytest.mark.parametrize(("given", "name"), [({"keep": "best"}, "keep best"), ({"patience": 2}, "patience")])
def test_to_choose_an_epoch_takes_examples_to_choose_it_by(given: dict[str, Any], name: str):
    with pytest.raises(InvalidInput) as refused:
        plan_for(from_preset({**given, "holdout": 0}), 100)
    assert str(refused.value) == (
        f"holdout must be at least 1, got 0: {name} compares epochs on training examples that are held out"
    )
    assert plan_for(from_preset({**given, "holdout": 1}), 100).examples == 99


def test_a_strategy_is_told_how_far_the_run_is_what_was_measured_and_how_many_examples_there_are():
    seen: list[Progress] = []

    class Seeing(FedAvg):
        def interval(self, progress: Progress) -> Interval:
            seen.append(progress)
            return Interval(2)

    plan = Plan(examples=50, epochs=3, batch_size=10, seed=0, shards=2, strategy=Seeing(2))
    first = plan.first_round()
    plan.round_after(first)
    plan.round_after(first, Measured(0.5, 3e-6))
    plan.round_after(Round(2, 0, 4, 5, 2, solo_steps=1), Measured(0.25, 4e-6))
    plan.round_after(Round(2, 0, 4, 5, 1, solo=True, solo_steps=4))
    assert seen == [
        (0, 15, None, 50, None, 0),
        (2, 15, None, 50, None, 0),
        (2, 15, 3e-6, 50, 0.5, 0),
        (5, 15, 4e-6, 50, 0.25, 1),
        (5, 15, None, 50, None, 5),
    ]


def test_a_round_knows_how_many_steps_before_it_were_taken_alone_and_is_compared_without():
    plan = Plan(examples=90, epochs=3, batch_size=10, seed=0, shards=2, strategy=PostLocalSGD(0.5, 5, FedAvg(4)))
    rounds = list(plan.rounds())
    assert [round_.solo_steps for round_ in rounds] == [0, 5, 9, *[14] * (len(rounds) - 3)]
    assert [round_.solo for round_ in rounds] == [*[True] * 3, *[False] * (len(rounds) - 3)]
    assert rounds[3] == replace(rounds[3], solo_steps=0)  # older checkpoints and logs don't have it
