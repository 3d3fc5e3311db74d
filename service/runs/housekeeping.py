"""Runs that go: one that is deleted is out of sight at once, then its files are removed."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

from service.runs.folder import RunFolder, all_runs

DELETED = ".deleted-"
"""What the name of a run's folder begins with while its files are being removed."""

DRAFT_SECONDS = 24 * 3600.0
"""What a process wrote beside its place and didn't touch for so long, it has left behind."""


def delete_run(folder: RunFolder) -> None:
    """Remove a run. Raises Conflict where a process works on it."""
    gone = folder.path.with_name(f"{DELETED}{folder.name}")
    with folder.held():
        folder.path.rename(gone)
    shutil.rmtree(gone)


def ended_runs(runs: Path, older_than: timedelta) -> Iterator[RunFolder]:
    """The runs that finished, failed or were cancelled longer ago than this: nobody will continue them.

    Runs that were paused or interrupted are left out, and so are damaged ones.
    """
    for folder in all_runs(runs):
        *_, last = [{}, *folder.readable_entries()]
        if last.get("kind") != "end" or last["outcome"] == "paused":
            continue
        if datetime.now(UTC) - datetime.fromisoformat(last["at"]) > older_than:
            yield folder


def leftovers(runs: Path) -> list[Path]:
    """Folders of runs whose removal, or whose beginning, was cut short."""
    if not runs.is_dir():
        return []
    drafts = [path for path in runs.glob(".*-*") if path.is_dir() and not path.name.startswith(DELETED)]
    return [*runs.glob(f"{DELETED}*"), *(path for path in drafts if time() - path.stat().st_mtime > DRAFT_SECONDS)]
