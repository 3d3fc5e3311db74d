"""Many trainings that differ in some fields of their configuration, side by side on one cluster."""

from service.sweep.folder import SweepFolder
from service.sweep.result import Result
from service.sweep.spec import Parallel, Range, Sweep, SweepName, Trial
from service.sweep.table import as_text, results_table
from service.sweep.trial import run_trial

__all__ = [
    "Parallel",
    "Range",
    "Result",
    "Sweep",
    "SweepFolder",
    "SweepName",
    "Trial",
    "as_text",
    "results_table",
    "run_trial",
]
