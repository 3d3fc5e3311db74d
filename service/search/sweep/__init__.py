"""Many trainings that differ in some fields of their configuration, side by side on one cluster."""

from service.search.sweep.folder import SweepFolder
from service.search.sweep.promotion import Step
from service.search.sweep.report import write_report
from service.search.sweep.result import Result
from service.search.sweep.rung import run_rung
from service.search.sweep.schedule import next_steps
from service.search.sweep.spec import Parallel, Range, Sweep, SweepName, Trial
from service.search.sweep.table import as_cell, as_text, results_table
from service.search.sweep.trial import run_trial

__all__ = [
    "Parallel",
    "Range",
    "Result",
    "Step",
    "Sweep",
    "SweepFolder",
    "SweepName",
    "Trial",
    "as_cell",
    "as_text",
    "next_steps",
    "results_table",
    "run_rung",
    "run_trial",
    "write_report",
]
