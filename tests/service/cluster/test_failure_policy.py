"""Patience, stragglers, quarantine, and where a run gives up."""

from typing import Any, cast

import pytest

import service.cluster.failure_policy
import service.cluster.quarantine
from service.cluster.failure_policy import (
    ATTEMPTS,
    FIRST_PATIENCE_SECONDS,
    LEAST_PATIENCE_SECONDS,
    PATIENCE_ROUNDS,
    FailurePolicy,
)
from service.cluster.quarantine import QUARANTINE_SECONDS, Quarantine
from service.cluster.stragglers import StragglerDetector
from service.errors import ClusterError
from service.rounds.executor import ClusterEvent
from service.rounds.plan import Round
from service.rounds.shard_update import Pace
from service.rounds.tasks import RoundResult


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in (service.cluster.failure_policy, service.cluster.quarantine):
        monkeypatch.setattr(module, "monotonic", clock)
    return clock


def round_(number: int) -> Round:
    return Round(number, 0, 0, 4, 2)


def result(quickest: tuple[float, str], slowest: tuple[float, str], examples: int = 2000) -> RoundResult:
    values: dict[str, Any] = dict.fromkeys(("loss", "accuracy", "digest", "drift", "dispersion", "seconds", "ended"))
    paces = {"quickest": Pace(*quickest), "slowest": Pace(*slowest)}
    return RoundResult(round=round_(0), examples=examples, **cast(Any, values), **paces, state=None)


def test_patience_grows_with_the_longest_round_and_doubles_with_each_failure(clock: Clock):
    policy = FailurePolicy()
    assert policy.patience_s() == FIRST_PATIENCE_SECONDS
    policy.note_duration(clock.now - 0.1)
    assert policy.patience_s() == LEAST_PATIENCE_SECONDS
    policy.note_duration(clock.now - 2)
    policy.note_duration(clock.now - 1)
    policy.note_duration(None)
    assert policy.patience_s() == PATIENCE_ROUNDS * 2
    assert policy.patience_s(cold=True) == FIRST_PATIENCE_SECONDS
    policy.note_event(ClusterEvent("an answer is overdue", 3, 1))
    policy.note_event(ClusterEvent("a worker left", 3, 1, is_failure=False))
    assert policy.patience_s() == 2 * PATIENCE_ROUNDS * 2
    policy.note_done(round_(3))
    assert policy.patience_s() == PATIENCE_ROUNDS * 2


def test_a_first_round_that_takes_long_is_given_more_time_at_each_attempt(clock: Clock):
    policy = FailurePolicy()
    for failures in range(ATTEMPTS):
        assert policy.patience_s() == policy.patience_s(cold=True) == 2**failures * FIRST_PATIENCE_SECONDS
        policy.note_event(ClusterEvent("an answer is overdue", 0, 6))


def test_cold_workers_get_no_less_time_than_warm_ones(clock: Clock):
    policy = FailurePolicy()
    policy.note_duration(clock.now - 400)
    assert policy.patience_s(cold=True) == policy.patience_s() == PATIENCE_ROUNDS * 400


def test_only_a_round_further_than_any_before_ends_a_row_of_failures():
    policy = FailurePolicy()
    policy.note_done(round_(7))
    for _ in range(ATTEMPTS):
        policy.note_event(ClusterEvent("a worker left", 5, 1))
        policy.note_done(round_(6))
    with pytest.raises(ClusterError, match=f"round 8 was disturbed {ATTEMPTS + 1} times in a row .a worker left."):
        policy.note_event(ClusterEvent("a worker left", 5, 1))


def test_a_straggler_is_four_times_as_slow_as_another_and_half_a_second_later():
    # 1000 examples a shard: 1 ms an example is a second
    detector = StragglerDetector()
    assert detector.find(result((0.001, "a"), (0.0041, "b"))) == {"b"}
    assert detector.find(result((0.001, "a"), (0.0039, "b"))) == frozenset()
    assert detector.find(result((0.0001, "a"), (0.0005, "b"))) == frozenset()  # 0.4 s
    assert detector.find(result((0.0001, "a"), (0.0007, "b"))) == {"b"}  # 0.6 s


def test_a_worker_that_works_alone_is_compared_with_the_quickest_so_far():
    detector = StragglerDetector()
    assert detector.find(result((0.01, "a"), (0.01, "a"))) == frozenset()
    assert detector.find(result((0.001, "b"), (0.001, "b"))) == frozenset()
    assert detector.find(result((0.01, "a"), (0.01, "a"))) == {"a"}


def test_a_quarantine_ends_and_is_twice_as_long_the_next_time(clock: Clock):
    quarantine = Quarantine()
    quarantine.add(["a"])
    clock.now += QUARANTINE_SECONDS / 2
    quarantine.add(["a", "b"])  # no longer for the first
    assert quarantine.workers == {"a", "b"}
    clock.now += QUARANTINE_SECONDS / 2 + 1
    assert quarantine.workers == {"b"}
    quarantine.add(["a"])
    clock.now += 2 * QUARANTINE_SECONDS - 1
    assert quarantine.workers == {"a"}
    clock.now += 2
    assert quarantine.workers == frozenset()


def test_an_exclusion_stays_and_is_noticed_once(clock: Clock):
    quarantine = Quarantine()
    quarantine.exclude("a", "a differs")
    quarantine.exclude("a", "a differs")
    clock.now += 1e9
    assert quarantine.workers == quarantine.excluded == {"a"}
    assert quarantine.take_notices() == ["a differs"]
    assert quarantine.take_notices() == []
