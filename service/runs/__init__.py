"""Runs on disk: what was asked, what happened and, in `checkpoints`, the states to continue from."""

from service.runs.folder import RunFolder, Status, all_runs, new_run_id
from service.runs.log import Entry, RoundLog

__all__ = ["Entry", "RoundLog", "RunFolder", "Status", "all_runs", "new_run_id"]
