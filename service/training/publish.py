"""Puts a finished run into the registry, as a new version of its model."""

from dataclasses import asdict, dataclass
from itertools import chain

from service.config import TrainConfig
from service.data import DatasetInfo, describe, label_counts
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.data.store import blocks, read_about
from service.errors import NotFound, StorageError
from service.home import Home
from service.registry import Draft, ModelVersion, Registry
from service.rounds.job import network_for
from service.rounds.plan import plan_for
from service.runs import Entry, Run, find_run
from service.training.epoch_scores import EpochScores
from service.training.findings import findings, is_at_chance
from service.training.history import epochs_of, published_checkpoint, scores_of
from service.training.loop import Trained
from service.training.metrics import Evaluation


@dataclass(frozen=True)
class Published:
    """A model in the registry, as `train --json` reports it. The fields that `Trained` has too mean the same here.

    Attributes:
        model: the model's name.
        version: its version.
        test_accuracy: on the test examples.
        champion: the version that the model's name alone stands for, 0 for none; None where it is this one.
        champion_why: why it isn't this one.
        at_chance: True where it is no better than guessing; else None.
        warnings: what people should know before they use it, one line each; None where there is nothing.
        validation_accuracy: on the training examples that were held out; None where none were.
        best_epoch: the number of the published epoch, from 1, where that is the best one; else None.
        epochs: how many epochs there were, where the training stopped before the configured end; else None.
    """

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
    champion: int | None = None
    champion_why: str | None = None
    at_chance: bool | None = None
    warnings: tuple[str, ...] | None = None
    validation_accuracy: float | None = None
    best_epoch: int | None = None
    epochs: int | None = None


def publish_run(home: Home, trained: Trained, evaluations: dict[int, Evaluation]) -> Published:
    """Put a finished run into the registry as a new version of its model; one that is there already stays.

    The champion is the version with the best test accuracy on its data set, unless a person chose another.

    Args:
        home: where run and models are.
        trained: what the training ended with.
        evaluations: by epoch; that of the epoch which is published is the model's.

    Raises:
        StorageError: where the models lie can't be reached, read or written.
    """
    try:
        return _published(home, trained, evaluations)
    except StorageError as error:
        again = f"`atelier runs resume {trained.run}` publishes it"
        raise StorageError(f"{error}; what was trained stands: {again}") from None


def _published(home: Home, trained: Trained, evaluations: dict[int, Evaluation]) -> Published:
    registry = Registry(home.models)
    run = find_run(home.runs, trained.run)
    config, found = run.config(), evaluations[trained.epoch]
    epochs = config.first_epoch + len(epochs_of(run))
    name = config.published_name
    model = registry.of_run(name, trained.run)
    if model is None:
        model = registry.publish(name, _draft(home, run, trained, evaluations))
        registry.update_champion(model)
    champion, why = _champion(registry, model)
    values = asdict(trained)
    del values["epoch"]
    return Published(
        **values,
        model=model.name,
        version=model.version,
        test_accuracy=found.accuracy,
        validation_accuracy=found.validation.accuracy if found.validation else None,
        best_epoch=trained.epoch + 1 if config.keep == "best" else None,
        epochs=epochs if epochs < config.epochs else None,
        champion=champion,
        champion_why=why,
        at_chance=is_at_chance(found) or None,
        warnings=model.warnings or None,
    )


def _champion(registry: Registry, model: ModelVersion) -> tuple[int | None, str | None]:
    """The champion and why it isn't this version, as `Published` has them."""
    try:
        champion = registry.get(model.name)
    except NotFound:
        return 0, "a person removed it"
    if champion.version == model.version:
        return None, None
    if registry.champion_is_chosen(model.name):
        return champion.version, "a person chose it"
    if champion.data != model.data:
        return champion.version, f"it was trained on other data, {champion.dataset}"
    return champion.version, "it is at least as good on the test examples"


def _draft(home: Home, run: Run, trained: Trained, evaluations: dict[int, Evaluation]) -> Draft:
    config, facts = run.config(), run.facts()
    data = describe(home.store(config.dataset))
    parts = (images for images, _ in blocks(data.path, "test", data.digest))
    first = next(parts)
    test = asdict(evaluations[trained.epoch])
    scores = {epoch: EpochScores.of(evaluation) for epoch, evaluation in evaluations.items()}
    scores = scores_of(run) | scores
    validation = test.pop("validation")
    return Draft(
        network=network_for(config, data),
        theta=published_checkpoint(run).state.published,
        class_names=data.class_names,
        dataset=data.name,
        config=config.model_dump(mode="json"),
        metrics={
            "train_loss": trained.train_loss,
            "train_accuracy": trained.train_accuracy,
            "test": test,
            **({"validation": validation} if validation else {}),
            **({"best_epoch": trained.epoch + 1} if config.keep == "best" else {}),
        },
        history=[_epoch_values(entry, scores.get(entry["epoch"])) for entry in epochs_of(run)],
        lineage={
            "run": trained.run,
            "data": facts["data"]["digest"],
            "parameters": trained.digest,
            **{name: facts[name] for name in ("fork", "init", "extend", "start_digest") if facts.get(name)},
            "engine": facts["engine"],
            "versions": facts["versions"],
        },
        tags=tuple(filter(None, config.tags.split(","))),
        preparation=dict(read_about(data.path).preparation or Preparation.of_images(first).to_manifest()),
        statistics=ImageStatistics.of_parts(chain([first], parts)).to_manifest(),
        warnings=_warnings(config, data, run, evaluations[trained.epoch], trained.epoch),
    )


def _warnings(config: TrainConfig, data: DatasetInfo, run: Run, evaluation: Evaluation, epoch: int) -> tuple[str, ...]:
    losses = [entry["train_loss"] for entry in epochs_of(run) if entry["epoch"] <= epoch]
    steps = plan_for(config, data.train).steps_per_epoch
    return findings(config, evaluation, label_counts(data.path, "train"), losses, steps)


def _epoch_values(entry: Entry, scores: EpochScores | None) -> dict[str, float | None]:
    test, validation = (scores.test, scores.validation) if scores else (None, None)
    return {
        "epoch": entry["epoch"] + 1,
        "train_loss": entry["train_loss"],
        "train_accuracy": entry["train_accuracy"],
        "test_loss": test.loss if test else None,
        "test_accuracy": test.accuracy if test else None,
        **({"validation_loss": validation.loss, "validation_accuracy": validation.accuracy} if validation else {}),
        "examples_per_s": entry["examples_per_s"],
        "wall_s": entry["wall_s"],
    }
