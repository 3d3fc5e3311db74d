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
from ops.engines.cuda.plan import AVERAGE_THREADS, RULE, SUMS_HELD, SUMS_THREADS, average_launches
from ops.engines.spans import check_round

AVERAGING = Path(__file__).parents[2] / "engines" / "cuda" / "averaging.cu"
KERNELS = ("distances_kernel", "average_kernel", "lengths_kernel", "sums_kernel")

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


def source(parameters: int, distance: int) -> str:
    """The averaging kernels for vectors of so many parameters that begin so many numbers after each other."""
    numbers = {
        "PARAMETERS": parameters,
        "REPLICA": distance,
        "FAN_IN": FAN_IN,
        "LEAF_LANES": LANES,
        "RULE": RULE,
        "AVERAGE_THREADS": AVERAGE_THREADS,
        "SUMS_THREADS": SUMS_THREADS,
        "SUMS_HELD": SUMS_HELD,
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
        tables = _tables(size)
        count = len(tables["leaves"]) - 1
        self.shards = shards
        self._device = device
        self._size = size
        device.add_kernels(source(size, padded), KERNELS)
        self._launches = average_launches(size, shards, count, len(tables["levels"]) - 1)
        self._buffers = {name: device.array(table) for name, table in tables.items()}
        shapes = {"theta": (shards, padded), "velocity": (shards, padded), "outer": (size,), "result": (size,)}
        self._buffers |= {name: device.empty(shape) for name, shape in shapes.items()}
        doubles = {"sums": (shards + 2, count), "means": (size,), "moves": (size,)}
        doubles |= {"totals": (shards, 2), "records": (shards + 2, 3)}
        self._buffers |= {name: device.empty(shape, "f8") for name, shape in doubles.items()}
        self._buffers["start"] = device.array(replica.theta)
        self._buffers["theta"][:, :size] = self._buffers["start"]
        # velocities that are zero throughout are averaged without a sign
        velocity = device.array(replica.velocity) if replica.velocity.any() else 0
        self._buffers["velocity"][:, :size] = velocity
        self._buffers["outer"][...] = device.array(outer) if outer.view(np.uint32).any() else 0

    def round(self, take: Take, round_: RoundSteps) -> RoundResult:
        device, buffers, shards, began = self._device, self._buffers, self.shards, perf_counter()
        examples = tuple(int(s.offsets[-1] - s.offsets[0]) if len(s) else 0 for s in round_.shards)
        for shard, steps in enumerate(round_.shards):
            buffers["totals"][shard, 0], buffers["totals"][shard, 1] = take(*self._of(shard), steps)
        device.host(buffers["totals"])  # waits for the last step
        seconds = perf_counter() - began
        rule = round_.rule
        numbers = (sum(examples), rule.outer_lr, rule.outer_momentum, rule.plain, rule.reset_velocity, *examples)
        buffers["rule"] = device.array(np.array(numbers, np.float64))
        for launch in self._launches:
            arguments = (buffers[each] if isinstance(each, str) else each for each in launch.arguments)
            device.launch(launch.kernel, launch.grid, *arguments, threads=launch.block)
        records = device.host(buffers["records"]).tolist()
        return RoundResult(
            theta=device.host(buffers["result"]),
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
        return Replica(self._device.host(self._buffers["start"]), self._device.host(self._of(0)[1]))

    def _of(self, shard: int) -> tuple[Array, Array]:
        theta, velocity = self._buffers["theta"], self._buffers["velocity"]
        return theta[shard, : self._size], velocity[shard, : self._size]

    def outer(self) -> Floats:
        """The outer optimizer's velocity."""
        return self._device.host(self._buffers["outer"])


@lru_cache(maxsize=4)
def _tables(size: int) -> dict[str, NDArray[np.int32]]:
    levels, pairs = merges(size)
    return {"leaves": leaves(size), "levels": levels, "pairs": pairs}
