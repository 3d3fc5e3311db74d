"""What a kill costs, read from a log and tasks that were written by hand."""

from datetime import UTC, datetime

import pytest

from service.runs import Entry
from tests.chaos.cost import Cost, cost_of
from tests.chaos.witness import Event


def entry(at: float, kind: str, number: int = 0) -> Entry:
    return {"kind": kind, "at": datetime.fromtimestamp(at, UTC).isoformat(), "round": number}


def test_a_kill_is_told_apart_into_noticing_waiting_and_being_back():
    entries = [entry(100.0 + number, "round", number) for number in range(4)]  # a second each
    entries += [
        entry(103.6, "disturbed"),  # killed at 103.5
        entry(106.5, "round", 4),
        entry(108.5, "round", 5),  # two seconds, with one worker
        entry(109.5, "round", 6),
        entry(110.5, "round", 7),
    ]
    seen = [
        Event(103.2, 1, "executing", "round-a-4-0"),
        Event(103.2, 2, "executing", "round-a-4-1"),
        Event(103.9, 1, "executing", "round-b-4-0"),
        Event(104.9, 1, "executing", "round-b-4-1"),
        Event(105.9, 1, "memory", "round-b-4-1"),
        Event(108.8, 3, "memory", "round-b-6-1"),
    ]
    cost = cost_of(103.5, 111.0, entries, seen)
    expected = Cost(noticed=0.1, idle=0.3, back=2.9, replaced=5.3, lost=3.5, calm=1.0, alone=2.0)
    assert vars(cost) == pytest.approx(vars(expected))
