"""The whole job in stages, each a plain function; the flows call these and add nothing but a view on them."""

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import asdict, dataclass
from errno import EDQUOT, ENOSPC

from ops.engines.base import Floats
from service.cluster.connection import Cluster
from service.config import TrainConfig
from service.data import describe, read
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.errors import RunError
from service.home import Home
from service.registry import Draft, Registry
from service.rounds.job import network_for
from service.runs import Entry, RunFolder, checkpoints
from service.training.evaluation import Evaluation, evaluate
from service.training.loop import advance, begin, final_state, reopen
from service.training.warm_start import FRESH, WarmStart

Watch = Callable[[Entry], None]
"""Is told each line of the round log as it is written."""


@dataclass(frozen=True)
class Trained:
    """What a training ended with. wall_s is the time its epochs took, examples_per_s their examples over that."""

    run: str
    digest: str
    train_loss: float
    train_accuracy: float
    examples_per_s: float
    wall_s: float
    workers: int
    shards: int
    engine: str


@dataclass(frozen=True)
class Published:
    """A model in the registry, as `train --json` reports it. validation_accuracy: None where nothing was held out."""

    run: str
    model: str
    version: int
    digest: str
    train_loss: float
    train_accuracy: float
    test_accuracy: float
    examples_per_s: float
    wall_s: float
    workers: int
    shards: int
    engine: str
    validation_accuracy: float | None = None


def train_run(
    home: Home, cluster: Cluster, run: str, config: TrainConfig | None, watch: Watch, warm_start: WarmStart = FRESH
) -> Trained:
    """Start a run, or continue the one of that name where `config` is None, and take it to its end.

    Raises RunError where the disk is full.
    """
    try:
        if config is not None:
            folder, job = begin(home, cluster, config, run, warm_start)
        else:
            folder = RunFolder.open(home.runs, run)
            job = reopen(home, cluster, folder)
        with closing(advance(cluster, folder, job)) as entries:
            for entry in entries:
                watch(entry)
    except OSError as error:
        if error.errno not in (ENOSPC, EDQUOT):
            raise
        raise RunError(
            f"run {run} can't be written to {home.runs}: {error.strerror}; with room made, "
            f"`atelier runs resume {run}` continues it"
        ) from None
    epochs = history(folder)
    wall = sum(entry["wall_s"] for entry in epochs)
    return Trained(
        run=run,
        digest=final_state(folder).state.digest,
        train_loss=epochs[-1]["train_loss"],
        train_accuracy=epochs[-1]["train_accuracy"],
        examples_per_s=sum(entry["examples"] for entry in epochs) / wall,
        wall_s=wall,
        workers=len(cluster.workers),
        shards=job.config.averaging.shards,
        engine=job.choice.engine,
    )


def history(folder: RunFolder) -> list[Entry]:
    """The epochs of a run, in order."""
    return [entry for entry in folder.entries() if entry["kind"] == "epoch"]


def evaluate_run(home: Home, cluster: Cluster, run: str) -> dict[int, Evaluation]:
    """Evaluate a run after each epoch whose checkpoint was kept, on the cluster; the last is the trained model."""
    folder = RunFolder.open(home.runs, run)
    job = reopen(home, cluster, folder)
    asked = {
        epoch: cluster.client.submit(evaluate, job, theta, key=f"evaluate-{run}-{epoch}", pure=False)
        for epoch, theta in _kept(folder)
    }
    if not asked:
        raise RunError(f"run {run} has no checkpoint to evaluate yet")
    return dict(zip(asked, cluster.client.gather(list(asked.values())), strict=True))


def _kept(folder: RunFolder) -> Iterator[tuple[int, Floats]]:
    """The parameters after each epoch, where a whole checkpoint of them is left."""
    for entry in history(folder):
        with suppress(RunError):
            checkpoint = checkpoints.read(folder.checkpoints / str(entry["rounds_done"]))
            yield entry["epoch"], checkpoint.state.replica.theta


def publish_run(home: Home, trained: Trained, evaluations: dict[int, Evaluation]) -> Published:
    """Put a finished run into the registry as a new version of its model; one that is there already stays.

    The version with the best test accuracy is the model's champion.
    """
    registry = Registry(home.models)
    folder = RunFolder.open(home.runs, trained.run)
    config, facts = folder.config(), folder.facts()
    data = describe(home.store(config.dataset))
    images, _ = read(data.path, "test", data.digest)
    last = evaluations[max(evaluations)]
    test = asdict(last)
    validation = test.pop("validation")
    draft = Draft(
        network=network_for(config, data),
        theta=final_state(folder).state.replica.theta,
        class_names=data.class_names,
        dataset=data.name,
        config=config.model_dump(mode="json"),
        metrics={
            "train_loss": trained.train_loss,
            "train_accuracy": trained.train_accuracy,
            "test": test,
            **({"validation": validation} if validation else {}),
        },
        history=[_told(entry, evaluations.get(entry["epoch"])) for entry in history(folder)],
        lineage={
            "run": trained.run,
            "data": facts["data"]["digest"],
            "parameters": trained.digest,
            **{name: facts[name] for name in ("fork", "init", "start_digest") if facts.get(name)},
            "engine": facts["engine"],
            "versions": facts["versions"],
        },
        tags=tuple(filter(None, config.tags.split(","))),
        preparation=Preparation.of_images(images).to_manifest(),
        statistics=ImageStatistics.of_images(images).to_manifest(),
    )
    model = registry.of_run(config.published_name, trained.run) or registry.publish(config.published_name, draft)
    registry.promote(model.name, "champion", "test_accuracy")
    return Published(
        **asdict(trained),
        model=model.name,
        version=model.version,
        test_accuracy=last.accuracy,
        validation_accuracy=validation["accuracy"] if validation else None,
    )


def _told(entry: Entry, evaluation: Evaluation | None) -> dict[str, float | None]:
    validation = evaluation.validation if evaluation else None
    return {
        "epoch": entry["epoch"] + 1,
        "train_loss": entry["train_loss"],
        "train_accuracy": entry["train_accuracy"],
        "test_loss": evaluation.loss if evaluation else None,
        "test_accuracy": evaluation.accuracy if evaluation else None,
        **({"validation_loss": validation.loss, "validation_accuracy": validation.accuracy} if validation else {}),
        "examples_per_s": entry["examples_per_s"],
        "wall_s": entry["wall_s"],
    }
