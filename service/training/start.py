"""How a run begins: everything that decides its bits is settled, then it is put on disk."""

import platform
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version

from service import __version__
from service.config import TrainConfig
from service.data import DatasetInfo, describe, label_counts
from service.home import Home
from service.networks.building import recorded_network
from service.rounds.class_weights import NONE, class_weights, imbalance
from service.rounds.executor import Executor
from service.rounds.job import Job, network_for, step_config_for
from service.runs import Run, begin_run
from service.training.disk import explained_disk_errors
from service.training.loop import Trained, Watch, run_to_end
from service.training.warm_start import FRESH, WarmStart

LIBRARIES = ("numpy", "llvmlite", "dask", "distributed", "zarr")


def start_run(
    home: Home, executor: Executor, run: str, config: TrainConfig, watch: Watch, warm_start: WarmStart = FRESH
) -> Trained:
    """Start a run and take it to its end.

    Args:
        home: where it is to lie.
        executor: computes its rounds.
        run: its name.
        config: what to train.
        watch: called with each line of its log.
        warm_start: what it starts from.

    Raises:
        AtelierError: see `create_run` and `service.training.loop.advance`.
        RunError: the disk is full, or can't be written.
    """
    with explained_disk_errors(home, run):
        begun, job = create_run(home, executor, config, run, warm_start)
        return run_to_end(executor, begun, job, watch)


def create_run(
    home: Home, executor: Executor, config: TrainConfig, run: str, warm_start: WarmStart = FRESH
) -> tuple[Run, Job]:
    """Put a new run on disk. See `start_run` for the arguments.

    Raises:
        DataError: there are no such data.
        ClusterError: the workers can't do the work.
        InvalidInput: the configuration doesn't fit the data or the engine.
        OpsError: the network doesn't fit the data.
        Conflict: a run of that name exists.
    """
    data = describe(home.store(config.dataset))
    counts = label_counts(data.path, "train")
    weights = class_weights(config.class_weights, data.class_names, counts)
    network, step_config = network_for(config, data), step_config_for(config, weights)
    choice = executor.choose_engine(config, network, step_config, data.path)
    fingerprint = executor.match_fingerprint(choice)
    job = Job(config, data, choice, fingerprint, weights, executor.data_memory)
    start = warm_start.checkpoint(home, job)
    job.plan.first_round()
    begun = begin_run(
        home.runs,
        run,
        config,
        start,
        **asdict(warm_start),
        start_digest=start.state.digest if start else "",
        what_starts=warm_start.what_starts(start),
        data={**asdict(data), "path": str(data.path)},
        class_weights=weights,
        warnings=_warnings(config, data, counts),
        network=recorded_network(network),
        engine=asdict(job.choice),
        fingerprint=asdict(fingerprint),
        versions={"atelier": __version__, **{name: version(name) for name in LIBRARIES}},
        machine={"python": platform.python_version(), "processor": platform.machine()},
    )
    return begun, job


def _warnings(config: TrainConfig, data: DatasetInfo, counts: Sequence[int]) -> tuple[str, ...]:
    """What should be known before the first round."""
    found = imbalance(data.class_names, counts) if config.class_weights == NONE else ""
    return (f"{found}; --class-weights balanced lets each of them weigh the same",) if found else ()
