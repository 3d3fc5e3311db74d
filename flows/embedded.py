"""Prefect without a server of one's own: settings for the one that it starts inside this process.

Must run before Prefect is imported, because Prefect reads its settings then.
"""

import os
from collections.abc import MutableMapping
from pathlib import Path

EMBEDDED = {
    "DO_NOT_TRACK": "1",
    "PREFECT_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_FOREMAN_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_LATE_RUNS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_SCHEDULER_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_CANCELLATION_CLEANUP_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_PAUSE_EXPIRATIONS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_ENABLED": "true",
    "PREFECT_CLIENT_ENABLE_METRICS": "false",
}
"""What Prefect is told where the user says nothing else."""


def settle(environment: MutableMapping[str, str], home: Path) -> None:
    """Fill in what an embedded server needs; with `PREFECT_API_URL` set there is a server, and nothing is touched."""
    if environment.get("PREFECT_API_URL"):
        return
    for name, value in {"PREFECT_HOME": str(home / "prefect"), **EMBEDDED}.items():
        environment.setdefault(name, value)


def settle_this_process(home: Path) -> None:
    """The same for this process and those it starts."""
    settle(os.environ, home)
