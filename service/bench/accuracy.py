"""How long a network takes to a given test accuracy, in the whole service and in PyTorch, with the same settings."""

import json
from dataclasses import dataclass
from functools import partial
from statistics import fmean, median

from service.bench.peer import peer
from service.bench.training import timed_run
from service.cluster.dask_executor import DaskExecutor, open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig, from_preset
from service.data import describe
from service.environment.processors import usable_processors
from service.home import Home
from service.training.evaluate import evaluate_run

WAYS = ("atelier", "torch_eager", "torch_compiled")

Progress = list[tuple[float, float]]
"""`(seconds of training so far, test accuracy)` after each epoch."""


@dataclass(frozen=True)
class Contender:
    """One way to train: medians over the seeds.

    seconds: to the accuracy that was asked for; None where half of the seeds or more never reached it.
    total_s: of all epochs. accuracy: mean on the test examples at the end. reached: how many seeds came that far.
    """

    way: str
    seconds: float | None
    total_s: float
    accuracy: float
    reached: int


@dataclass(frozen=True)
class AccuracyReport:
    """A race to an accuracy.

    ratio: seconds of the faster of PyTorch's ways over Atelier's; None where either never came that far.
    """

    network: str
    target: float
    epochs: int
    seeds: int
    contenders: tuple[Contender, ...]
    ratio: float | None


def measure_accuracy(home: Home, *, network: str, target: float, epochs: int, seeds: int) -> AccuracyReport:
    """Alternate trainings of the whole service, by the network's preset, with PyTorch's with the same settings.

    The clock stands while models are evaluated, and until data are loaded and everything is compiled, on both sides.
    Raises AtelierError where PyTorch is not installed.
    """
    config = from_preset({"model": network, "epochs": epochs})
    data = describe(home.store(config.dataset))
    taken: dict[str, list[Progress]] = {way: [] for way in WAYS}
    words = (str(data.path), network, str(epochs))
    # The peer first: a local cluster of processes leaves settings (one thread, eager trimming) in the environment.
    local, suited = ClusterConfig(workers=usable_processors()), partial(suited_to, (config, data))
    with peer("service.bench.torch_race", *words) as ask, open_executor(local, suited=suited) as executor:
        timed_run(home, executor, config.model_copy(update={"epochs": 1}))
        for seed in range(seeds):
            taken["atelier"].append(_progress(home, executor, config.model_copy(update={"seed": seed})))
            for way in ("eager", "compiled"):
                taken[f"torch_{way}"].append([(s, a) for s, a in json.loads(ask(f"{way} {seed}"))])
    contenders = tuple(contender(way, taken[way], target) for way in WAYS)
    ours, *theirs = (found.seconds for found in contenders)
    best = min((seconds for seconds in theirs if seconds is not None), default=None)
    ratio = best / ours if best is not None and ours is not None else None
    return AccuracyReport(network, target, epochs, seeds, contenders, ratio)


def contender(way: str, taken: list[Progress], target: float) -> Contender:
    """Sum up the trainings of one contender."""
    times = [next((s for s, accuracy in course if accuracy >= target), None) for course in taken]
    reached = sorted(s for s in times if s is not None)
    late = len(taken) - len(reached)
    return Contender(
        way=way,
        seconds=median([*reached, *[float("inf")] * late]) if late < len(reached) else None,
        total_s=median(course[-1][0] for course in taken),
        accuracy=fmean(course[-1][1] for course in taken),
        reached=len(reached),
    )


def render(report: AccuracyReport) -> str:
    """The report as a table."""
    lines = [
        f"{report.network}, {report.epochs} epochs, {report.seeds} seeds, test accuracy {report.target:g}",
        f"{'':<16}{'seconds to it':>15}{'reached':>9}{'all epochs, s':>15}{'at the end':>12}",
    ]
    for found in report.contenders:
        seconds = "never" if found.seconds is None else f"{found.seconds:.1f}"
        lines.append(
            f"{found.way:<16}{seconds:>15}{found.reached:>6}/{report.seeds}{found.total_s:>15.1f}{found.accuracy:>12.4f}"
        )
    if report.ratio is not None:
        lines.append(f"{report.ratio:.2f} times as fast as the faster of PyTorch's ways")
    return "\n".join(lines)


def _progress(home: Home, executor: DaskExecutor, config: TrainConfig) -> Progress:
    _, folder = timed_run(home, executor, config)
    evaluations = evaluate_run(home, executor, folder.name)
    course, seconds = [], 0.0
    for entry in folder.entries():
        if entry["kind"] == "epoch":
            seconds += entry["wall_s"]
        if entry["kind"] == "epoch" and entry["epoch"] in evaluations:
            course.append((seconds, evaluations[entry["epoch"]].accuracy))
    return course
