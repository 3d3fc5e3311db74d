"""How fast the whole service trains on a GPU, beside its engine alone, PyTorch and JAX on the same GPU, in turns."""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from ops.engines import build, choose
from ops.engines.base import Replica
from ops.lr_schedules import Constant, rates
from ops.training import epoch_steps
from service.bench.peer import peer
from service.bench.training import timed_run
from service.cluster.dask_executor import open_executor
from service.cluster.local_workers import suited_to
from service.config import ClusterConfig, TrainConfig, from_preset
from service.data import DatasetInfo, describe, read
from service.errors import AtelierError
from service.home import Home
from service.rounds.job import network_for, step_config_for

PEERS = {
    "PyTorch eager": ("service.bench.gpu_torch", "eager"),
    "PyTorch compiled": ("service.bench.gpu_torch", "compiled"),
    "PyTorch CUDA graph": ("service.bench.gpu_torch", "graph"),
    "JAX, an epoch as one scan": ("service.bench.gpu_jax", "scan"),
}
SERVICE, ENGINE = "Atelier, the whole service", "its engine alone"


@dataclass(frozen=True)
class WaySpeed:
    """Training speed of one way, the median.

    Attributes:
        way: who trains.
        examples_per_s: examples a second.
    """

    way: str
    examples_per_s: float


@dataclass(frozen=True)
class GpuTrainingReport:
    """One network on one GPU.

    Attributes:
        network: its name.
        precision: of the factors of its products.
        batch_size: examples a step, over all shards.
        shards: of the service.
        epochs: of one run.
        repetitions: of each way.
        engine: the engine that the service takes.
        speeds: of each way.
        share_of_engine: what the service reaches of its engine's own speed.
        ratio: the service's speed to the best peer's; None where no peer is installed.
        skipped: peers that could not be timed, and why.
    """

    network: str
    precision: str
    batch_size: int
    shards: int
    epochs: int
    repetitions: int
    engine: str
    speeds: tuple[WaySpeed, ...]
    share_of_engine: float
    ratio: float | None
    skipped: tuple[str, ...]


def measure_gpu_training(
    home: Home,
    *,
    network: str | dict[str, Any],
    batch_size: int,
    epochs: int,
    repetitions: int,
    peer_epochs: int = 0,
    precision: str = "float32",
    dataset: str = "fashion-mnist",
    device: str = "cuda",
) -> GpuTrainingReport:
    """Alternate whole runs of the service (Dask, averaging, log, checkpoints) with its engine, PyTorch and JAX.

    peer_epochs: how many epochs the peers take, which are much slower; 0 is as many.

    Whatever is done once a process, loading data and compiling, is done before the clock starts, on all sides. Raises
    Unsupported without a GPU.
    """
    data = describe(home.store(dataset))
    asked = {"model": network, "dataset": dataset, "batch_size": batch_size, "epochs": epochs, "device": device}
    config = from_preset({**asked, "precision": precision, "augment": {"flip": False, "shift": 0}})
    engine, alone = _engine(config, data)
    peers_config = config.model_copy(update={"epochs": peer_epochs or epochs})
    words = str(data.path), peers_config.model_dump_json()
    local, suited = ClusterConfig(workers=1), partial(suited_to, (config, data))
    with ExitStack() as stack:
        asks = {name: stack.enter_context(peer(program, *words)) for name, (program, _) in PEERS.items()}
        executor = stack.enter_context(open_executor(local, suited=suited))
        ways: dict[str, Callable[[], float]] = {
            SERVICE: lambda: timed_run(home, executor, config)[0],
            ENGINE: alone,
            **{name: partial(_asked, asks[name], way) for name, (_, way) in PEERS.items()},
        }
        seconds, skipped = _in_turns(ways, repetitions)
    epochs_of = {name: peers_config.epochs if name in PEERS else epochs for name in seconds}
    rate = {name: data.train * epochs_of[name] / median(taken) for name, taken in seconds.items()}
    peers = [rate[name] for name in PEERS if name in rate]
    return GpuTrainingReport(
        network=config.network_name,
        precision=precision,
        batch_size=batch_size,
        shards=config.averaging.shards,
        epochs=epochs,
        repetitions=repetitions,
        engine=engine,
        speeds=tuple(WaySpeed(*each) for each in rate.items()),
        share_of_engine=rate[SERVICE] / rate[ENGINE],
        ratio=rate[SERVICE] / max(peers) if peers else None,
        skipped=tuple(f"{name}: {why}" for name, why in skipped.items()),
    )


def render(report: GpuTrainingReport) -> str:
    """The report as text."""
    lines = [
        f"{report.network} in {report.precision}, engine {report.engine}, batch {report.batch_size}, {report.shards} "
        f"shards, {report.epochs} epochs, median of {report.repetitions}"
    ]
    lines += [f"  {speed.way:<28} {speed.examples_per_s:>12,.0f} examples/s" for speed in report.speeds]
    lines.append(f"  {'share of the engine':<28} {report.share_of_engine:>12.1%}")
    if report.ratio is not None:
        lines.append(f"  {'ratio to the best peer':<28} {report.ratio:>12.2f}")
    return "\n".join((*lines, *(f"  not timed: {why}" for why in report.skipped)))


def _engine(config: TrainConfig, data: DatasetInfo) -> tuple[str, Callable[[], float]]:
    """The engine's name, and what times so many epochs of it, one shard with the whole batch."""
    network, step_config = network_for(config, data), step_config_for(config)
    choice = choose(network, step_config, engine=config.engine, device=config.device)
    engine = build(choice, network, step_config)
    loaded = engine.load(*read(data.path, "train", data.digest))
    theta = network.init_parameters(config.seed)
    start = Replica(theta, np.zeros(network.num_parameters, np.float32))
    rate = rates(Constant(config.optimizer.lr / 10), -(-data.train // config.batch_size))
    plans = [epoch_steps(data.train, config.batch_size, rate, seed=0, epoch=epoch) for epoch in range(config.epochs)]

    def seconds() -> float:
        began, replica = perf_counter(), start
        for plan in plans:
            replica = engine.run(replica, loaded, plan).replica
        return perf_counter() - began

    return choice.engine, seconds


def _in_turns(
    ways: Mapping[str, Callable[[], float]], repetitions: int
) -> tuple[dict[str, list[float]], dict[str, str]]:
    """The seconds that each way took each time, but for a first one; and of ways that could not run, why."""
    seconds: dict[str, list[float]] = {}
    skipped: dict[str, str] = {}
    for turn in range(repetitions + 1):
        for name in [name for name in ways if name not in skipped]:
            try:
                taken = ways[name]()
            except AtelierError as error:
                skipped[name] = str(error)
                continue
            if turn:
                seconds.setdefault(name, []).append(taken)
    return seconds, skipped


def _asked(ask: Callable[[str], str], way: str) -> float:
    return float(ask(way))
