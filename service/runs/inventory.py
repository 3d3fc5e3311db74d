"""The runs that there are, and new ones."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from service.config import TrainConfig
from service.runs.folder import RunFolder
from service.runs.run import Run

if TYPE_CHECKING:
    from service.runs.checkpoints import Checkpoint


def begin_run(runs: Path, run: str, config: TrainConfig, start: "Checkpoint | None", **facts: Any) -> Run:
    """Begin a run.

    Args:
        runs: where all runs lie.
        run: its name.
        config: its configuration.
        start: what it starts from; None for fresh parameters.
        facts: data, engine, versions and so on, which are written beside the configuration.

    Raises:
        Conflict: a run of that name exists.
    """
    return RunFolder.create(runs, run, config, start, **facts)


def run_at(runs: Path, run: str) -> Run:
    """The run of that name, which may not have begun yet."""
    return RunFolder(runs / run)


def find_run(runs: Path, run: str) -> Run:
    """The run of that name. Raises NotFound where there is none."""
    return RunFolder.open(runs, run)


def all_runs(runs: Path) -> list[Run]:
    """Every run there is, the one that started last first."""
    if not runs.is_dir():
        return []
    folders = [RunFolder(path) for path in runs.iterdir() if not path.name.startswith(".")]
    found = [folder for folder in folders if folder.is_run()]
    return sorted(found, key=lambda folder: (folder.started(), folder.name), reverse=True)
