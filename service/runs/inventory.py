"""The runs that there are, and new ones: in a folder, or below an address in object storage."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from service.config import TrainConfig
from service.errors import NotFound
from service.runs.bucket import BucketRun
from service.runs.folder import RunFolder
from service.runs.run import Run
from service.storage import Address, Bucket, Place

if TYPE_CHECKING:
    from service.runs.checkpoints import Checkpoint

Found = TypeVar("Found")

AT_A_TIME = 8
"""Runs in a bucket that are looked at together."""


def begin_run(runs: Place, run: str, config: TrainConfig, start: "Checkpoint | None", **facts: Any) -> Run:
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
    if isinstance(runs, Path):
        return RunFolder.create(runs, run, config, start, **facts)
    return BucketRun.create(runs, run, config, start, **facts)


def run_at(runs: Place, run: str) -> Run:
    """The run of that name, which may not have begun yet."""
    return RunFolder(runs / run) if isinstance(runs, Path) else BucketRun(runs / run)


def find_run(runs: Place, run: str, *, patient: bool = True) -> Run:
    """The run of that name. Raises NotFound where there is none. patient: see `BucketRun`."""
    if isinstance(runs, Path):
        return RunFolder.open(runs, run)
    is_name = run and run.isprintable() and "/" not in run and not run.startswith(".")
    if not is_name or not (found := BucketRun(runs / run, patient=patient)).exists():
        raise NotFound(f"there is no run {run!r} in {runs}")
    return found


def all_runs(runs: Place) -> list[Run]:
    """Every run there is, the one that started last first."""
    found = _in_folder(runs) if isinstance(runs, Path) else _in_bucket(Bucket(runs), runs)
    return [run for _, run in sorted(found, key=lambda each: (each[0], each[1].name), reverse=True)]


def look_at(runs: list[Run], look: Callable[[Run], Found]) -> list[Found]:
    """What a function finds of each run, in order; of several at a time where each has to be asked for."""
    if all(isinstance(run, RunFolder) for run in runs):
        return [look(run) for run in runs]
    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return list(pool.map(look, runs))


def _in_folder(runs: Path) -> list[tuple[str, Run]]:
    if not runs.is_dir():
        return []
    folders = [RunFolder(path) for path in runs.iterdir() if not path.name.startswith(".")]
    return [(folder.started(), folder) for folder in folders if folder.is_run()]


def _in_bucket(bucket: Bucket, runs: Address) -> list[tuple[str, Run]]:
    def look(name: str) -> list[tuple[str, Run]]:
        run = BucketRun(runs / name, patient=False)
        try:
            return [(run.started(), run)] if run.exists() else []
        except NotFound:  # it was deleted meanwhile
            return []

    with ThreadPoolExecutor(AT_A_TIME) as pool:
        return [each for found in pool.map(look, bucket.folders()) for each in found]
