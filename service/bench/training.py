"""How fast the whole service trains, beside PyTorch on the same cores in the same run."""

from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

from threadpoolctl import threadpool_limits

from ops.summary import rows
from service.bench.blas import Ceiling
from service.bench.peer import peer
from service.cluster.dask_executor import DaskExecutor, open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig, from_preset
from service.data import DatasetInfo, describe
from service.environment.processors import usable_processors
from service.home import Home
from service.rounds.job import network_for
from service.runs import Run, new_run_id
from service.training.loop import advance
from service.training.start import create_run

WARM_UP_STEPS = 2
"""Steps of the run before the clock starts: each worker takes a share of them, so that each has compiled."""


@dataclass(frozen=True)
class TrainingReport:
    """Examples a second, medians over the repetitions.

    ratio: Atelier over the faster of PyTorch's two ways. eager_ratio: over PyTorch eager. ceiling_share: of what the
    network's arithmetic would take at the rate of a large matrix product on every core, measured in the same run.
    """

    network: str
    batch_size: int
    epochs: int
    repetitions: int
    cores: int
    atelier_examples_per_s: float
    torch_eager_examples_per_s: float
    torch_compiled_examples_per_s: float
    ratio: float
    ceiling_examples_per_s: float
    ceiling_share: float
    eager_ratio: float


def measure_training(
    home: Home,
    *,
    network: str | dict[str, Any],
    batch_size: int,
    epochs: int,
    repetitions: int,
    examples: int = 0,
    dataset: str = "fashion-mnist",
) -> TrainingReport:
    """Alternate runs of the whole service (Dask, averaging, log and checkpoints; a shard for each core) with PyTorch.

    network: its name, or its description. examples: train on so many of them only; 0 takes all.

    Whatever is done once a process, loading data and compiling, is done before the clock starts, on both sides.
    Raises AtelierError where PyTorch is not installed.
    """
    data = describe(home.store(dataset))
    cores = usable_processors()
    config = _config(network, data, batch_size=batch_size, epochs=epochs, examples=examples)
    seconds: dict[str, list[float]] = {"atelier": [], "eager": [], "compiled": []}
    ceilings: list[float] = []
    # The peer first: a local cluster of processes leaves settings (one thread, eager trimming) in the environment.
    words = str(data.path), config.model_dump_json()
    local, suited = ClusterConfig(workers=cores), partial(suited_to, (config, data))
    with peer("service.bench.torch_peer", *words) as ask, open_executor(local, suited=suited) as executor:
        few = max(data.train - WARM_UP_STEPS * batch_size, config.holdout)
        timed_run(home, executor, config.model_copy(update={"epochs": 1, "holdout": few}))
        ceiling = Ceiling()
        for _ in range(repetitions):
            seconds["atelier"].append(timed_run(home, executor, config)[0])
            for way in ("eager", "compiled"):
                seconds[way].append(float(ask(way)))
            with threadpool_limits(1, user_api="blas"):
                ceilings.append(ceiling.gflops())
    rate = {name: (data.train - config.holdout) * epochs / median(values) for name, values in seconds.items()}
    limit = cores * median(ceilings) * 1e9 / _flops_an_example(config, data)
    return TrainingReport(
        network=config.network_name,
        batch_size=batch_size,
        epochs=epochs,
        repetitions=repetitions,
        cores=cores,
        atelier_examples_per_s=rate["atelier"],
        torch_eager_examples_per_s=rate["eager"],
        torch_compiled_examples_per_s=rate["compiled"],
        ratio=rate["atelier"] / max(rate["eager"], rate["compiled"]),
        ceiling_examples_per_s=limit,
        ceiling_share=rate["atelier"] / limit,
        eager_ratio=rate["atelier"] / rate["eager"],
    )


def render(report: TrainingReport) -> str:
    """The report as text."""
    return (
        f"{report.network}, batch {report.batch_size}, {report.epochs} epochs, median of {report.repetitions}, "
        f"{report.cores} cores\n"
        f"  Atelier, the whole service   {report.atelier_examples_per_s:>10,.0f} examples/s\n"
        f"  PyTorch eager                {report.torch_eager_examples_per_s:>10,.0f}\n"
        f"  PyTorch compiled             {report.torch_compiled_examples_per_s:>10,.0f}\n"
        f"  ratio to PyTorch eager       {report.eager_ratio:>10.2f}\n"
        f"  ratio to PyTorch's best      {report.ratio:>10.2f}\n"
        f"  share of the sgemm ceiling   {report.ceiling_share:>10.1%}"
    )


def timed_run(home: Home, executor: DaskExecutor, config: TrainConfig) -> tuple[float, Run]:
    """Wall time of one run, in seconds, from its beginning on disk to the last line of its log; and the run."""
    began = perf_counter()
    folder, job = create_run(home, executor, config, f"bench-{new_run_id()}")
    for _ in advance(executor, folder, job):
        pass
    return perf_counter() - began, folder


def _config(
    network: str | dict[str, Any], data: DatasetInfo, *, batch_size: int, epochs: int, examples: int
) -> TrainConfig:
    """What is trained: by the network's preset, but for what PyTorch doesn't do here, with a shard for each core."""
    return from_preset(
        {
            "model": network,
            "dataset": data.name,
            "batch_size": batch_size,
            "epochs": epochs,
            "augment": {"flip": False, "shift": 0},
            "averaging": {"shards": usable_processors(), "solo_steps": 0},  # the few steps would all be taken alone
            "holdout": max(data.train - examples, 0) if examples else 0,
            "evaluate": "end",  # or all that is held out would be predicted after each epoch
        }
    )


def _flops_an_example(config: TrainConfig, data: DatasetInfo) -> int:
    """Forward, the weights' gradient and the input's, which the first layer that learns does not need."""
    forward = [row.flops for row in rows(network_for(config, data)) if row.flops]
    return 3 * sum(forward) - forward[0]
