"""Runs that may go, and what processes left of runs when they died."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

from service.runs.folder import DELETED
from service.runs.inventory import all_runs
from service.runs.run import Run

DRAFT_SECONDS = 24 * 3600.0
"""What a process wrote beside its place and didn't touch for so long, it has left behind."""


def ended_runs(runs: Path, older_than: timedelta) -> Iterator[Run]:
    """The runs that finished, failed or were cancelled longer ago than this: nobody will continue them.

    Runs that were paused or interrupted are left out, and so are damaged ones.
    """
    for run in all_runs(runs):
        *_, last = [{}, *run.readable_entries()]
        if last.get("kind") != "end" or last["outcome"] == "paused":
            continue
        if datetime.now(UTC) - datetime.fromisoformat(last["at"]) > older_than:
            yield run


def leftovers(runs: Path) -> list[Path]:
    """Folders of runs whose removal, or whose beginning, was cut short."""
    if not runs.is_dir():
        return []
    drafts = [path for path in runs.glob(".*-*") if path.is_dir() and not path.name.startswith(DELETED)]
    return [*runs.glob(f"{DELETED}*"), *(path for path in drafts if time() - path.stat().st_mtime > DRAFT_SECONDS)]
