"""Rounds on fleets of workers that nobody has at hand: a simulation, event by event, from measured costs.

Workers that each have a part of the shards take a task for each of them. What is modelled, after what Dask does: one
scheduler that handles one message after another; workers that run one task at a time, of those dealt out to them in
turn, and first fetch what they need; a holder that serves ten fetches at
a time and turns others away for 0.15 s, while everyone who has fetched becomes a holder too; uplinks shared by the
fetches that they serve; sums in the fixed tree of `service.rounds`; and steps whose time scatters. What is not:
lost packets, a network that is narrower in the middle than at its edges, disturbances, and tasks that an idle worker
takes from a busy one. The client submits rounds ahead, so that its own time matters only where it is the longest.

One worker has all shards, and computes several rounds as one task, a span, which is reckoned without a simulation.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from heapq import heappop, heappush
from itertools import count
from statistics import fmean

import numpy as np

from service.bench.costs import Costs
from service.cluster.span_window import MAX_ROUNDS, SPAN_SECONDS
from service.rounds.averaging import FAN_IN

SERVED = 10
"""Fetches that a worker serves at a time, and how long it turns others away (distributed 2026.8)."""
BUSY_S = 0.15

ROUNDS = 3


@dataclass(frozen=True)
class Fleet:
    """What is asked. examples_a_step: of each shard. bandwidth in bytes/s, latency in seconds, each way.

    shards: over all workers; 0 is one for each.
    """

    workers: int
    average_every: int
    examples_a_step: int = 64
    bandwidth: float = 1.25e9
    latency: float = 2e-4
    shards: int = 0

    @property
    def parts(self) -> int:
        """How many shards there are."""
        return self.shards or self.workers


@dataclass(frozen=True)
class Forecast:
    """A round of a fleet, means. Seconds but for `coordination_share` (of the round) and `sent_bytes`.

    steps_s: that a worker took steps. slowest_s: that the slowest did; no coordination can help waiting for it.
    broadcast_s: until the last worker has the state. sums_s: from the last step to the new state. scheduler_s,
    client_s: that the scheduler and the client were busy. tasks: of a round; below 1 where a task has several rounds.
    """

    workers: int
    average_every: int
    round_s: float
    steps_s: float
    slowest_s: float
    broadcast_s: float
    sums_s: float
    scheduler_s: float
    client_s: float
    tasks: float
    sent_bytes: int

    @property
    def coordination_share(self) -> float:
        """The part of the round that goes by beyond the steps of its slowest worker."""
        return 1 - self.slowest_s / self.round_s

    @property
    def bottleneck(self) -> str:
        """What the round beyond its steps mostly goes to."""
        waits = {
            "scheduler": self.scheduler_s,
            "client": self.client_s,
            "sending the state out": self.broadcast_s,
            "summing up": self.sums_s,
        }
        return max(waits, key=lambda name: waits[name])


def forecast(costs: Costs, fleet: Fleet, seed: int = 0) -> Forecast:
    """Simulate some rounds of a fleet and average them. A fleet of one worker takes spans."""
    if fleet.workers == 1:
        return _in_spans(costs, fleet)
    rounds = [_Round(costs, fleet, np.random.default_rng([seed, number])).play() for number in range(ROUNDS)]
    return Forecast(
        workers=fleet.workers,
        average_every=fleet.average_every,
        round_s=fmean(max(r.now, r.tasks * costs.client_s) for r in rounds),
        steps_s=fmean(r.busy.mean() for r in rounds),
        slowest_s=fmean(r.busy.max() for r in rounds),
        broadcast_s=fmean(r.received for r in rounds),
        sums_s=fmean(r.now - r.stepped for r in rounds),
        scheduler_s=fmean(r.scheduler_busy for r in rounds),
        client_s=fmean(r.tasks for r in rounds) * costs.client_s,
        tasks=fmean(r.tasks for r in rounds),
        sent_bytes=round(fmean(r.sent for r in rounds)),
    )


def sparsest_within(costs: Costs, fleet: Fleet, share: float = 0.05) -> Forecast:
    """The forecast for the smallest H, to a twentieth, that keeps coordination within a share of the round."""

    def told(every: int) -> Forecast:
        return forecast(costs, replace(fleet, average_every=every))

    too_often, found = 0, told(1)
    while found.coordination_share > share:
        too_often = found.average_every
        found = told(2 * too_often)
    while found.average_every - too_often > max(1, found.average_every // 20):
        middle = told((too_often + found.average_every) // 2)
        if middle.coordination_share > share:
            too_often = middle.average_every
        else:
            found = middle
    return found


def _in_spans(costs: Costs, fleet: Fleet) -> Forecast:
    """A round of one worker, which has all shards, as a part of a span; see `service.cluster.span_window`.

    The next span waits on the worker, so that of Dask's work only the worker's own keeps it from its steps.
    """
    steps = fleet.parts * fleet.average_every * fleet.examples_a_step * costs.step_s
    sums = fleet.parts * costs.fold_s + costs.join_s if fleet.parts > 1 else 0.0
    rounds = min(max(round(SPAN_SECONDS / max(steps + sums, 1e-9)), 1), MAX_ROUNDS)
    return Forecast(
        workers=1,
        average_every=fleet.average_every,
        round_s=max(steps + sums + costs.worker_s / rounds, costs.client_s / rounds),
        steps_s=steps,
        slowest_s=steps,
        broadcast_s=0.0,
        sums_s=sums,
        scheduler_s=costs.scheduler_s / rounds,
        client_s=costs.client_s / rounds,
        tasks=1 / rounds,
        sent_bytes=round(costs.state_bytes / rounds),
    )


class _Round:
    """One round, from the state on its one holder to the next state."""

    def __init__(self, costs: Costs, fleet: Fleet, rng: np.random.Generator) -> None:
        self.now = self.received = self.stepped = self.scheduler_busy = 0.0
        self.sent = self.messages = 0
        self._costs, self._fleet, self._rng = costs, fleet, rng
        self._events: list[tuple[float, int, Callable[[], None]]] = []
        self._order = count()
        self._scheduler_free = 0.0
        self._holders = [0]
        self._serving = np.zeros(fleet.workers, np.int64)
        mean = fleet.average_every * fleet.examples_a_step * costs.step_s
        sigma = np.sqrt(np.log1p(costs.step_spread**2))
        self._steps = mean * rng.lognormal(-(sigma**2) / 2, sigma, fleet.parts)
        self.busy = np.bincount(np.arange(fleet.parts) % fleet.workers, self._steps)
        self._waiting: list[deque[int]] = [deque() for _ in range(fleet.workers)]
        self._idle: set[int] = set()
        self._missing: dict[tuple[int, int], int] = {}

    @property
    def tasks(self) -> int:
        """How many tasks it took: two messages each."""
        return self.messages // 2

    def play(self) -> "_Round":
        """Let everything happen."""
        for shard in range(self._fleet.parts):
            self._scheduled(lambda shard=shard: self._dealt(shard))  # type: ignore[misc]  # default argument
        while self._events:
            self.now, _, event = heappop(self._events)
            event()
        return self

    def _after(self, seconds: float, event: Callable[[], None]) -> None:
        heappush(self._events, (self.now + seconds, next(self._order), event))

    def _scheduled(self, event: Callable[[], None]) -> None:
        """Have the scheduler handle a message, after those before it; half of a task's cost, since there are two."""
        cost = self._costs.scheduler_s / 2
        self.messages += 1
        self._scheduler_free = max(self._scheduler_free, self.now) + cost
        self.scheduler_busy += cost
        heappush(self._events, (self._scheduler_free + self._fleet.latency, next(self._order), event))

    def _dealt(self, shard: int) -> None:
        """A worker learns of a shard; of its first, that it needs the state."""
        worker = shard % self._fleet.workers
        self._waiting[worker].append(shard)
        if shard < self._fleet.workers:
            self._fetch_state(worker)
        elif worker in self._idle:
            self._next(worker)

    def _fetch_state(self, worker: int) -> None:
        holder = self._holders[self._rng.integers(len(self._holders))]
        if worker == holder:
            self._received(worker)
        elif self._serving[holder] >= SERVED:
            self._after(BUSY_S, lambda: self._fetch_state(worker))
        else:
            self._serving[holder] += 1
            seconds = self._costs.state_bytes * self._serving[holder] / self._fleet.bandwidth
            self.sent += self._costs.state_bytes
            self._after(2 * self._fleet.latency + seconds, lambda: self._fetched(worker, holder))

    def _fetched(self, worker: int, holder: int) -> None:
        self._serving[holder] -= 1
        self._holders.append(worker)
        self._received(worker)

    def _received(self, worker: int) -> None:
        self.received = max(self.received, self.now)
        self._next(worker)

    def _next(self, worker: int) -> None:
        """A worker that has the state and no task takes up the next."""
        self._idle.discard(worker)
        if not self._waiting[worker]:
            self._idle.add(worker)
            return
        shard = self._waiting[worker].popleft()
        self._after(self._costs.worker_s + self._steps[shard], lambda: self._stepped(worker, shard))

    def _stepped(self, worker: int, shard: int) -> None:
        self.stepped = max(self.stepped, self.now)
        self._scheduled(lambda: self._handed_in(0, shard, self._fleet.parts))
        self._next(worker)

    def _handed_in(self, level: int, place: int, parts: int) -> None:
        """A part of the tree's `level` is done; the eighth of its group lets their sum begin."""
        if parts == 1:
            return
        group, groups = place // FAN_IN, -(-parts // FAN_IN)
        members = min(FAN_IN, parts - group * FAN_IN)
        left = self._missing.setdefault((level, group), members) - 1
        self._missing[level, group] = left
        if left == 0:
            self._scheduled(lambda: self._sum(level, group, groups, members))

    def _sum(self, level: int, group: int, groups: int, members: int) -> None:
        size = self._costs.contribution_bytes if level == 0 else self._costs.partial_bytes
        self.sent += (members - 1) * size
        fetching = 2 * self._fleet.latency + (members - 1) * size / self._fleet.bandwidth
        working = self._costs.worker_s + members * self._costs.fold_s + (self._costs.join_s if groups == 1 else 0)
        self._after(fetching + working, lambda: self._scheduled(lambda: self._handed_in(level + 1, group, groups)))


def render(costs: Costs, forecasts: list[Forecast]) -> str:
    """The forecasts as a table, under what they were reckoned from."""
    lines = [
        f"a task: {1e3 * costs.scheduler_s:.2f} ms of the scheduler, {1e3 * costs.client_s:.2f} ms of the client, "
        f"{1e3 * costs.worker_s:.2f} ms of a worker; an example: {1e6 * costs.step_s:.1f} us "
        f"(tasks scatter by {costs.step_spread:.1%})",
        f"folding a shard: {1e3 * costs.fold_s:.2f} ms; a shard sends {costs.contribution_bytes / 1e3:.0f} kB, "
        f"a sum {costs.partial_bytes / 1e3:.0f} kB, the state {costs.state_bytes / 1e3:.0f} kB",
        "",
        f"{'workers':>8}{'H':>8}{'round':>10}{'steps':>10}{'slowest':>10}{'beyond':>9}{'tasks':>9}{'scheduler':>11}"
        f"{'client':>9}{'broadcast':>11}{'sums':>9}{'sent':>9}  mostly",
    ]
    lines += [
        f"{f.workers:>8}{f.average_every:>8}{f.round_s:>9.2f}s{f.steps_s:>9.2f}s{f.slowest_s:>9.2f}s"
        f"{f.coordination_share:>9.1%}{f.tasks:>9,.4g}{f.scheduler_s:>10.2f}s{f.client_s:>8.2f}s"
        f"{f.broadcast_s:>10.2f}s{f.sums_s:>8.2f}s{f.sent_bytes / 1e9:>7.2f}GB  {f.bottleneck}"
        for f in forecasts
    ]
    return "\n".join(lines)
