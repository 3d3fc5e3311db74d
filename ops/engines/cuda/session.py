"""Rounds of one shape on a device: its buffers, its graphs, and what travels between it and the host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import AveragingRule, Replica, Steps
from ops.engines.cuda.device import Device
from ops.engines.cuda.pairwise import leaves, merges
from ops.engines.cuda.plan import Buffer, Plan, placed, replays
from ops.network import Network
from ops.random import seed_key


@dataclass(frozen=True)
class Data:
    """A data set on the device: images (N, c, h, w) uint8, labels (N,) uint8; count is N."""

    images: Any
    labels: Any
    count: int


class Session:
    """Buffers and graphs for rounds of a plan's shape on some data; one call of the engine has it to itself.

    Whoever calls it sees to it that nothing else is put on the device's stream meanwhile.
    """

    def __init__(self, device: Device, module: Any, network: Network, plan: Plan, data: Data) -> None:
        self.plan = plan
        self.data = data
        self._parameters = network.num_parameters
        self._device = device
        self._module = module
        self._buffers = {name: device.empty(buffer.shape, buffer.dtype) for name, buffer in plan.buffers.items()}
        self._pieces = {}
        for name, parts in (("tables", plan.tables), ("results", plan.results)):
            self._pieces[name] = device.empty((placed(parts)[1],), "u1")
            self._buffers |= views(self._pieces[name], parts)
        self._buffers |= {"images": data.images, "labels": data.labels}
        levels, pairs = merges(network.num_parameters)
        for name, numbers in (("leaves", leaves(network.num_parameters)), ("levels", levels), ("pairs", pairs)):
            device.write(self._buffers[name], numbers)
        # Kernels are loaded at their first launch, which a capture doesn't allow: launch them with nothing to do.
        for name in ("offsets", "cursor", "theta", "velocity", "start", "outer", "rule", "totals"):
            buffer = {**plan.buffers, **plan.tables}[name]
            device.write(self._buffers[name], np.zeros(buffer.shape, buffer.dtype))
        for launch in (*plan.graphs[1], *plan.average):
            device.launch(module, launch, self._buffers)
        self._graphs = {size: device.graph(module, steps, self._buffers) for size, steps in plan.graphs.items()}

    def holds(self, data: Data, shards: int, capacity: int, steps: int) -> bool:
        """Whether such rounds fit."""
        plan = self.plan
        return data is self.data and shards == plan.shards and capacity <= plan.capacity and steps <= plan.steps

    def begin(self, replicas: Sequence[Replica], outer: NDArray[np.float32] | None = None) -> None:
        """Set what the shards start from, and the outer optimizer's velocity."""
        write, buffers = self._device.write, self._buffers
        for name in ("theta", "velocity"):
            rows = np.zeros(self.plan.buffers[name].shape, np.float32)
            vectors = [getattr(replica, name) for replica in replicas]
            # velocities that are zero throughout are averaged without a sign
            if outer is None or name == "theta" or any(vector.any() for vector in vectors):
                rows[:, : vectors[0].size] = vectors
            write(buffers[name], rows)
        write(buffers["totals"], np.zeros((self.plan.shards, 2)))
        if outer is not None:
            write(buffers["start"], np.asarray(replicas[0].theta, np.float32))
            write(buffers["outer"], np.asarray(outer, np.float32))

    def staging(self) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Host memory for the tables and for the results of a round, from where and to where the device copies."""
        return self._device.staging(self._pieces["tables"].size), self._device.staging(self._pieces["results"].size)

    def steps(self, shards: Sequence[Steps], rule: AveragingRule | None, staging: NDArray[np.uint8]) -> None:
        """Put a round's steps on the stream."""
        used = fill(self.plan.tables, shards, rule, staging)
        self._device.write(self._pieces["tables"], staging[:used])
        for size in replays(max(map(len, shards))):
            self._device.replay(self._graphs[size])

    def average(self, into: NDArray[np.uint8]) -> None:
        """Put the end of a round on the stream: what comes of it is in `into` once a mark behind it is reached."""
        for launch in self.plan.average:
            self._device.launch(self._module, launch, self._buffers)
        self._device.fetch(self._pieces["results"], into)

    def read(self, name: str) -> NDArray[Any]:
        """Wait for everything, and copy a buffer to the host; of replicas, as much as they have parameters."""
        read = self._device.read(self._buffers[name])
        return read[:, : self._parameters] if name in ("theta", "velocity") else read


def fill(
    tables: dict[str, Buffer], shards: Sequence[Steps], rule: AveragingRule | None, staging: NDArray[np.uint8]
) -> int:
    """Write a round's tables to host memory, and say how many bytes of it are in use."""
    into = views(staging, tables)
    table = tables["rates"].shape[1]
    into["cursor"][:] = 0
    end = 0
    for shard, steps in enumerate(shards):
        first, last = (int(steps.offsets[0]), int(steps.offsets[-1])) if len(steps) else (0, 0)
        into["draws"][shard] = (steps.epoch, *seed_key(steps.seed))
        # past the last step the offsets stay where they are: such steps are empty
        into["offsets"][shard] = end + last - first
        into["offsets"][shard, : len(steps) + 1] = steps.offsets - first + end if len(steps) else end
        into["rates"][shard, : len(steps)] = steps.rates
        into["examples"][end : end + last - first] = steps.examples[first:last]
        end += last - first
    if rule is not None:
        weights = [float(len(steps) and steps.offsets[-1] - steps.offsets[0]) for steps in shards]
        plain, reset = float(rule.plain), float(rule.reset_velocity)
        into["rule"][:] = (sum(weights), rule.outer_lr, rule.outer_momentum, plain, reset, *weights)
    assert end <= tables["examples"].shape[0]
    assert max(map(len, shards)) <= table
    return placed(tables)[0]["examples"] + 4 * end


def views(memory: Any, buffers: dict[str, Buffer]) -> dict[str, Any]:
    """The arrays that share a piece of memory (bytes,) uint8."""
    starts, _ = placed(buffers)
    return {
        name: memory[starts[name] : starts[name] + buffer.bytes].view(buffer.dtype).reshape(buffer.shape)
        for name, buffer in buffers.items()
    }
