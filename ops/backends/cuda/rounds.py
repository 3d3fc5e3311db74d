"""Rounds whose replicas stay on the GPU: each shard's steps, then the average, to the bits of `ops.averaging`.

The average is computed by the kernels of the engine `cuda` (`averaging.cu`), which sum in NumPy's order.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from time import perf_counter
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.averaging import FAN_IN
from ops.backends.cuda.launches import Launcher
from ops.engines.base import Floats, Replica, RoundResult, RoundSteps, Steps
from ops.engines.cuda.pairwise import LANES, leaves, merges
from ops.engines.cuda.plan import AVERAGE_THREADS, RULE, SUMS_THREADS
from ops.engines.spans import check_round

AVERAGING = Path(__file__).parents[2] / "engines" / "cuda" / "averaging.cu"
KERNELS = ("average_kernel", "sums_kernel")

EVEN = 64
"""Each shard's vector begins at a multiple of so many numbers."""

Take = Callable[[Array, Array, Steps], tuple[Array, Array]]
"""Takes steps in place on theta and velocity, and gives the sum of losses (float64) and how many were right (int64)."""


class Averager(Launcher, Protocol):
    """What rounds ask of a device."""

    def on(self) -> AbstractContextManager[Any]:
        """While in it, the device is this thread's, and arrays are made and computed on its stream."""

    def array(self, host: Any) -> Array: ...

    def host(self, array: Array) -> NDArray[Any]: ...

    def add_kernels(self, code: str, names: tuple[str, ...]) -> None: ...


def source(distance: int) -> str:
    """The averaging kernels for vectors that begin so many numbers after each other."""
    numbers = {
        "PARAMETERS": distance,
        "FAN_IN": FAN_IN,
        "LEAF_LANES": LANES,
        "RULE": RULE,
        "AVERAGE_THREADS": AVERAGE_THREADS,
        "SUMS_THREADS": SUMS_THREADS,
    }
    return "".join(f"#define {name} {value}\n" for name, value in numbers.items()) + AVERAGING.read_text()


def run_rounds(
    device: Averager, take: Take, replica: Replica, outer: Floats, rounds: Iterable[RoundSteps]
) -> Iterator[RoundResult]:
    """See `Engine.run_rounds`. Raises OpsError for a round without examples."""
    state: _State | None = None
    held: RoundResult | None = None
    for round_ in rounds:
        check_round(round_)
        if held is not None:
            yield held
        with device.on():
            if state is None or state.shards != len(round_.shards):
                if state is not None:
                    replica, outer = state.replica(), state.outer()
                state = None  # its memory first
                state = _State(device, replica, outer, len(round_.shards))
            held = state.round(take, round_)
    if held is not None and state is not None:
        with device.on():
            held = replace(held, velocity=state.replica().velocity, outer=state.outer())
        yield held


class _State:
    """Replicas of a number of shards on the device, and what their average takes."""

    def __init__(self, device: Averager, replica: Replica, outer: Floats, shards: int) -> None:
        size = replica.theta.size
        padded = -(-size // EVEN) * EVEN
        self.shards = shards
        self._device = device
        self._tables = {name: device.array(table) for name, table in _tables(size).items()}
        self._count = len(_tables(size)["leaves"]) - 1
        self._height = len(_tables(size)["levels"]) - 1
        device.add_kernels(source(padded), KERNELS)
        self._theta, self._velocity = device.empty((shards, padded)), device.empty((shards, padded))
        self._size = size
        self._start = device.array(replica.theta)
        self._theta[:, :size] = self._start
        # velocities that are zero throughout are averaged without a sign
        self._velocity[:, :size] = device.array(replica.velocity) if replica.velocity.any() else 0
        self._outer = device.empty((size,))
        self._outer[...] = device.array(outer) if outer.view(np.uint32).any() else 0
        self._result = device.empty((size,))
        self._sums = device.empty((shards + 2, self._count), "f8")
        self._totals, self._records = device.empty((shards, 2), "f8"), device.empty((shards + 2, 3), "f8")

    def round(self, take: Take, round_: RoundSteps) -> RoundResult:
        device, shards, began = self._device, self.shards, perf_counter()
        examples = tuple(int(s.offsets[-1] - s.offsets[0]) if len(s) else 0 for s in round_.shards)
        for shard, steps in enumerate(round_.shards):
            self._totals[shard, 0], self._totals[shard, 1] = take(*self._of(shard), steps)
        device.host(self._totals)  # waits for the last step
        seconds = perf_counter() - began
        rule = round_.rule
        numbers = (sum(examples), rule.outer_lr, rule.outer_momentum, rule.plain, rule.reset_velocity, *examples)
        table = device.array(np.array(numbers, np.float64))
        blocks = -(-self._count * LANES // AVERAGE_THREADS)
        replicas = (self._theta, self._velocity, self._start, self._outer)
        device.launch(
            *("average_kernel", blocks, self._tables["leaves"], table, *replicas, self._sums, self._result),
            *(shards, self._count),
            threads=AVERAGE_THREADS,
        )
        device.launch(
            *("sums_kernel", shards + 2, self._tables["levels"], self._tables["pairs"], self._sums, self._totals),
            *(self._records, shards, self._count, self._height),
            threads=SUMS_THREADS,
        )
        records = device.host(self._records).tolist()
        return RoundResult(
            theta=device.host(self._result),
            examples=examples,
            losses=tuple(loss for loss, _, _ in records[:shards]),
            correct=tuple(int(correct) for _, correct, _ in records[:shards]),
            distances=tuple(distance for _, _, distance in records[:shards]),
            length=records[shards][2],
            travelled=records[shards + 1][2],
            seconds=seconds,
        )

    def replica(self) -> Replica:
        """What every shard of the next round starts from."""
        return Replica(self._device.host(self._start), self._device.host(self._of(0)[1]))

    def _of(self, shard: int) -> tuple[Array, Array]:
        return self._theta[shard, : self._size], self._velocity[shard, : self._size]

    def outer(self) -> Floats:
        """The outer optimizer's velocity."""
        return self._device.host(self._outer)


@lru_cache(maxsize=4)
def _tables(size: int) -> dict[str, NDArray[np.int32]]:
    levels, pairs = merges(size)
    return {"leaves": leaves(size), "levels": levels, "pairs": pairs}
