"""Rounds one behind the other on a device: some are on its stream while the host reads the results of those before."""

from collections import deque
from collections.abc import Generator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats, Replica, RoundResult, RoundSteps, Steps
from ops.engines.cuda.device import Device
from ops.engines.cuda.session import Session, views

AHEAD = 3
"""So many rounds are on the stream while their results are waited for: few enough that a round may follow from the
result of the one four before it."""


@dataclass
class _Slot:
    """Host memory for one round that is on the stream, and marks before its steps, behind them and at its end."""

    tables: NDArray[np.uint8]
    results: NDArray[np.uint8]
    marks: tuple[Any, Any, Any] | None = None
    examples: tuple[int, ...] = ()


class Pipeline:
    """Puts rounds of one shape on a session's stream, and gives their results in order.

    lock: held while something is put on the stream.
    """

    def __init__(self, session: Session, device: Device, lock: AbstractContextManager[Any]) -> None:
        self.session = session
        self._device = device
        self._lock = lock
        self._free: list[_Slot] = []
        self._in_flight: deque[_Slot] = deque()

    def __len__(self) -> int:
        return len(self._in_flight)

    def begin(self, replica: Replica, outer: Floats) -> None:
        """Set what the first round starts from."""
        with self._lock:
            self.session.begin([replica] * self.session.plan.shards, outer)

    def put(self, round_: RoundSteps) -> None:
        """Put a round on the stream."""
        with self._lock:
            slot = self._free.pop() if self._free else _Slot(*self.session.staging())
            first = self._device.mark()
            self.session.steps(round_.shards, round_.rule, slot.tables)
            last = self._device.mark()
            self.session.average(slot.results)
            slot.marks = (first, last, self._device.mark())
        slot.examples = tuple(used(steps) for steps in round_.shards)
        self._in_flight.append(slot)

    def result(self) -> RoundResult:
        """Wait for the round that has been on the stream for longest."""
        slot = self._in_flight.popleft()
        assert slot.marks is not None
        self._device.wait(slot.marks[-1])
        found = views(slot.results, self.session.plan.results)
        records, shards = found["records"].tolist(), len(slot.examples)
        self._free.append(slot)
        return RoundResult(
            theta=found["result"].copy(),
            examples=slot.examples,
            losses=tuple(loss for loss, _, _ in records[:shards]),
            correct=tuple(int(correct) for _, correct, _ in records[:shards]),
            distances=tuple(distance for _, _, distance in records[:shards]),
            length=records[shards][2],
            travelled=records[shards + 1][2],
            seconds=self._device.seconds(*slot.marks[:2]),
        )

    def drain(self, *, velocities: bool) -> Generator[RoundResult, None, tuple[Replica, Floats]]:
        """Wait for each round that is on the stream.

        velocities: whether the last result is to have them.

        Returns:
            The replica and the outer optimizer's velocity after the last round.
        """
        while len(self) > 1:
            yield self.result()
        last = self.result()
        with self._lock:
            velocity, outer = self.session.read("velocity")[0], self.session.read("outer")
        yield replace(last, velocity=velocity, outer=outer) if velocities else last
        return Replica(last.theta, velocity), outer

    def close(self) -> None:
        """Wait for what is on the stream, so that host memory is not let go under it."""
        for slot in self._in_flight:
            assert slot.marks is not None
            self._device.wait(slot.marks[-1])
        self._in_flight.clear()


def used(steps: Steps) -> int:
    """How many examples some steps use."""
    return int(steps.offsets[-1] - steps.offsets[0]) if len(steps) else 0


def shape(shards: Sequence[Steps]) -> tuple[int, int, int]:
    """How many shards there are, the most examples of a step, and the most steps."""
    capacity = max(int(np.diff(steps.offsets).max(initial=0)) for steps in shards)
    return len(shards), capacity, max(map(len, shards))
