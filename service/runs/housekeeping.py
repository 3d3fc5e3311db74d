"""Runs that may go, and what processes left of runs when they died."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import time

from service.runs.bucket import CONFIG
from service.runs.bucket import DELETED as DELETED_OBJECT
from service.runs.folder import DELETED
from service.runs.inventory import all_runs
from service.runs.run import Run
from service.storage import Address, Bucket, Place

DRAFT_SECONDS = 24 * 3600.0
"""What a process wrote beside its place and didn't touch for so long, it has left behind."""


def ended_runs(runs: Place, older_than: timedelta) -> Iterator[Run]:
    """The runs that finished, failed or were cancelled longer ago than this: nobody will continue them.

    Runs that were paused or interrupted are left out, and so are damaged ones.
    """
    for run in all_runs(runs):
        *_, last = [{}, *run.readable_entries()]
        if last.get("kind") != "end" or last["outcome"] == "paused":
            continue
        if datetime.now(UTC) - datetime.fromisoformat(last["at"]) > older_than:
            yield run


def leftovers(runs: Place) -> list[Place]:
    """The places of runs whose removal, or whose beginning, was cut short."""
    if isinstance(runs, Address):
        return _leftovers_in_bucket(runs)
    if not runs.is_dir():
        return []
    drafts = [path for path in runs.glob(".*-*") if path.is_dir() and not path.name.startswith(DELETED)]
    return [*runs.glob(f"{DELETED}*"), *(path for path in drafts if time() - path.stat().st_mtime > DRAFT_SECONDS)]


def remove_leftover(place: Place) -> None:
    """Remove what is left of a run."""
    if isinstance(place, Path):
        shutil.rmtree(place, ignore_errors=True)
        return
    bucket = Bucket(place)
    bucket.remove(*bucket.sizes())


def _leftovers_in_bucket(runs: Address) -> list[Place]:
    oldest = datetime.now(UTC) - timedelta(seconds=DRAFT_SECONDS)
    found = list[Place]()
    for name in Bucket(runs).folders():
        written = Bucket(runs / name).times()
        is_draft = CONFIG not in written and all(time < oldest for time in written.values())
        if written and (is_draft or DELETED_OBJECT in written):
            found.append(runs / name)
    return found
