"""The fleet simulation against what can be reckoned by hand."""

from dataclasses import replace

import pytest

from service.bench.costs import Costs, _task_costs
from service.bench.fleet import Fleet, forecast, sparsest_within

FREE = Costs(
    scheduler_s=0,
    client_s=0,
    worker_s=0,
    step_s=1e-5,
    step_spread=0,
    fold_s=0,
    join_s=0,
    contribution_bytes=0,
    partial_bytes=0,
    state_bytes=0,
)
IDEAL = Fleet(workers=64, average_every=100, examples_a_step=10, bandwidth=1e18, latency=0)


def test_a_fleet_without_costs_spends_its_rounds_in_steps():
    told = forecast(FREE, replace(IDEAL, workers=8))
    assert told.round_s == pytest.approx(100 * 10 * 1e-5)
    assert told.coordination_share == pytest.approx(0)


def test_a_worker_takes_its_shards_one_after_another():
    told = forecast(replace(FREE, worker_s=1e-3), replace(IDEAL, workers=2, shards=65))
    assert told.slowest_s == pytest.approx(33 * 100 * 10 * 1e-5)
    assert told.round_s == pytest.approx(33 * (100 * 10 * 1e-5 + 1e-3) + 3 * 1e-3)  # 65, 9, 2, 1: three levels of sums


def test_a_worker_that_has_to_wait_for_shards_takes_each_as_it_comes():
    # two messages a task, half a millisecond each: 64 to deal the shards out, and a worker needs no time for one
    told = forecast(replace(FREE, scheduler_s=1e-3, step_s=0), replace(IDEAL, workers=2, shards=64))
    assert told.scheduler_s == pytest.approx((64 + 8 + 1) * 1e-3)
    assert told.round_s >= told.scheduler_s - 64 * 0.5e-3


def test_many_shards_even_out_what_scatters():
    few, many = (forecast(replace(FREE, step_spread=0.2), replace(IDEAL, workers=4, shards=k)) for k in (4, 256))
    assert few.slowest_s / few.steps_s - 1 > 3 * (many.slowest_s / many.steps_s - 1)


def test_the_scheduler_handles_two_messages_a_task_one_after_another():
    # 64 shards, 8 sums of their results and one of these: two messages each
    told = forecast(replace(FREE, scheduler_s=1e-3, step_s=0), IDEAL)
    assert told.scheduler_s == pytest.approx((64 + 8 + 1) * 1e-3)
    assert told.round_s >= told.scheduler_s - 64 * 0.5e-3


def test_what_is_sent_is_the_state_to_all_but_its_holder_and_seven_of_eight_parts():
    costs = replace(FREE, contribution_bytes=3, partial_bytes=5, state_bytes=7)
    assert forecast(costs, IDEAL).sent_bytes == 63 * 7 + 8 * 7 * 3 + 7 * 5


def test_folding_goes_by_the_levels_of_the_tree():
    told = forecast(replace(FREE, fold_s=1e-3, join_s=5e-3), IDEAL)
    assert told.sums_s == pytest.approx(8e-3 + 8e-3 + 5e-3)


def test_rounds_wait_for_the_slowest_worker():
    told = forecast(replace(FREE, step_spread=0.1), IDEAL)
    assert told.slowest_s > 1.15 * told.steps_s  # the largest of 64 draws lies about 2.4 deviations out
    assert told.round_s >= told.slowest_s * (1 - 1e-9)


def test_averaging_is_made_seldom_enough():
    costs = replace(FREE, scheduler_s=1e-3)
    told = sparsest_within(costs, IDEAL)
    assert told.coordination_share <= 0.05
    assert forecast(costs, replace(IDEAL, average_every=told.average_every * 9 // 10)).coordination_share > 0.05


def test_a_client_that_needs_longer_than_the_rounds_decides_how_long_they_are():
    quick, slow = (forecast(replace(FREE, client_s=cost), IDEAL) for cost in (1e-6, 1e-2))
    assert quick.round_s == forecast(FREE, IDEAL).round_s
    assert slow.round_s == pytest.approx((64 + 8 + 1) * 1e-2)
    assert slow.bottleneck == "client"


def test_one_worker_takes_as_many_rounds_in_a_task_as_take_a_second():
    costs = replace(FREE, worker_s=1e-3, scheduler_s=2e-3, fold_s=1e-4, join_s=1e-4)
    told = forecast(costs, replace(IDEAL, workers=1, shards=4))
    alone = 4 * 100 * 10 * 1e-5 + 5 * 1e-4  # of steps, of four shards folded and a state worked out
    rounds = round(1 / alone)
    assert told.tasks == pytest.approx(1 / rounds)
    assert told.round_s == pytest.approx(alone + 1e-3 / rounds)
    assert told.scheduler_s == pytest.approx(2e-3 / rounds)
    assert forecast(costs, replace(IDEAL, workers=1, average_every=10**6)).tasks == 1
    assert forecast(costs, replace(IDEAL, workers=1, average_every=1)).tasks == pytest.approx(1 / 64)


@pytest.mark.slow
def test_costs_are_those_of_processes_of_their_own():
    assert all(0 < cost < 0.1 for cost in _task_costs())
