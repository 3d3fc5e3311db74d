"""A small run with its model, in this process."""

from dataclasses import replace
from pathlib import Path

from service.config import from_preset
from service.home import Home
from service.registry import ModelVersion, Registry
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.evaluate import evaluate_trained
from service.training.publish import publish_run
from service.training.start import start_run
from tests.jobs import blobs_store, small


def published_run(home: Home, folder: Path, **given: object) -> tuple[RunFolder, ModelVersion]:
    """Train on a data set of its own, and publish the model."""
    blobs_store(home, folder)
    config = from_preset(small(name="tracked", **given))
    executor = SerialExecutor()
    trained = start_run(home, executor, "the-run", config, lambda entry: None)
    published = publish_run(home, trained, evaluate_trained(home, executor, trained))
    return RunFolder.open(home.runs, "the-run"), Registry(home.models).get("tracked", str(published.version))


def cut(folder: RunFolder, lines: int) -> RunFolder:
    """A copy of a run as it was after so many lines of its log."""
    path = folder.path.parent / "cut" / folder.name
    path.mkdir(parents=True)
    (path / "config.json").write_bytes((folder.path / "config.json").read_bytes())
    whole = folder.log.read_bytes().splitlines(keepends=True)
    (path / "rounds.jsonl").write_bytes(b"".join(whole[:lines]))
    return replace(folder, path=path)


def grow(folder: RunFolder, whole: RunFolder) -> None:
    """Let a copy have the whole log."""
    folder.log.write_bytes(whole.log.read_bytes())
