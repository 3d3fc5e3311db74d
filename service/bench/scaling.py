"""What more workers bring, and where the rest goes."""

from dataclasses import dataclass
from functools import partial
from statistics import median

from service.bench.rounds import round_costs
from service.bench.training import timed_run
from service.cluster.dask_executor import open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig
from service.data import describe
from service.home import Home


@dataclass(frozen=True)
class ScalingPoint:
    """So many workers.

    speedup: over one worker, in the same measurement; efficiency: that over the number of workers.
    step_slowdown: how much longer the same steps took than with one worker (shared caches, memory, clock).
    overhead_share: the part of the workers' time that was not spent in steps.
    """

    workers: int
    examples_per_s: float
    speedup: float
    efficiency: float
    step_slowdown: float
    overhead_share: float


def measure_scaling(home: Home, config: TrainConfig, workers: list[int], repetitions: int) -> list[ScalingPoint]:
    """Train with each number of workers in turn, several times over; medians.

    There are as many shards as the most workers, for every number of them, so that all do the same work.
    """
    data = describe(home.store(config.dataset))
    examples, suited = data.train * config.epochs, partial(suited_to, (config, data))
    seconds: dict[int, list[float]] = {count: [] for count in workers}
    steps: dict[int, list[float]] = {count: [] for count in workers}
    overheads: dict[int, list[float]] = {count: [] for count in workers}
    for _ in range(repetitions):
        for count in workers:
            with open_executor(ClusterConfig(workers=count), suited=suited) as executor:
                timed_run(home, executor, config.model_copy(update={"epochs": 1}))
                took, folder = timed_run(home, executor, config)
            seconds[count].append(took)
            costs = round_costs(folder, count)
            steps[count].append(costs.step_s)
            overheads[count].append(costs.overhead_share)
    base = workers[0]
    return [
        ScalingPoint(
            workers=count,
            examples_per_s=examples / median(seconds[count]),
            speedup=median(seconds[base]) / median(seconds[count]),
            efficiency=median(seconds[base]) / median(seconds[count]) * base / count,
            step_slowdown=median(steps[count]) / median(steps[base]),
            overhead_share=median(overheads[count]),
        )
        for count in workers
    ]


def render(points: list[ScalingPoint]) -> str:
    """The points as a table."""
    head = f"{'workers':>7}{'examples/s':>12}{'speed-up':>10}{'efficiency':>12}{'steps slower':>14}{'not in steps':>14}"
    return "\n".join(
        [
            head,
            *(
                f"{p.workers:>7}{p.examples_per_s:>12,.0f}{p.speedup:>10.2f}{p.efficiency:>12.1%}"
                f"{p.step_slowdown:>13.2f}x{p.overhead_share:>14.1%}"
                for p in points
            ),
        ]
    )
