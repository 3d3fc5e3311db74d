"""Runs: what was asked, what happened and, in `checkpoints`, the states to continue from."""

from service.runs.chain import Entry, Log
from service.runs.folder import RunFolder
from service.runs.inventory import all_runs, begin_run, find_run, look_at, run_at
from service.runs.log import RoundLog
from service.runs.run import Run, Status, new_run_id

__all__ = [
    "Entry",
    "Log",
    "RoundLog",
    "Run",
    "RunFolder",
    "Status",
    "all_runs",
    "begin_run",
    "find_run",
    "look_at",
    "new_run_id",
    "run_at",
]
