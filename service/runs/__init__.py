"""Runs on disk: what was asked, what happened, and the states to continue from."""

from service.runs.checkpoints import Checkpoint
from service.runs.folder import RunFolder, Status, all_runs, new_run_id
from service.runs.log import Entry, RoundLog

__all__ = ["Checkpoint", "Entry", "RoundLog", "RunFolder", "Status", "all_runs", "new_run_id"]
