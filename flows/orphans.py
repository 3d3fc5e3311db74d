"""Flow runs that the server believes to be running, though the process that served them is gone."""

from typing import Any

from prefect import get_client
from prefect.client.schemas.filters import (
    FlowRunFilter,
    FlowRunFilterState,
    FlowRunFilterStateType,
    FlowRunFilterTags,
)
from prefect.client.schemas.objects import State, StateType
from prefect.logging import get_logger
from prefect.states import Crashed

from flows.flow_runs import run_of
from service.errors import NotFound, RunError, StorageError
from service.home import Home
from service.runs import find_run

ALIVE = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.PENDING]))


def give_up_orphans(home: Home, tag: str) -> None:
    """Mark them as crashed at once, rather than when their heartbeats are missed; an automation resumes them.

    A run that any process works on is left alone: its folder is locked.
    """
    with get_client(sync_client=True) as client:
        found = client.read_flow_runs(flow_run_filter=FlowRunFilter(state=ALIVE, tags=FlowRunFilterTags(all_=[tag])))
        for flow_run in found:
            try:
                status = find_run(home.runs, run_of(flow_run)).status()
            except (NotFound, RunError, StorageError):  # nobody can go on with it now
                continue
            if status != "running":
                get_logger("atelier").warning("flow run %s was left alone: it will be resumed", flow_run.name)
                crashed: State[Any] = Crashed(message="Its process ended without a word.")
                client.set_flow_run_state(flow_run.id, crashed, force=True)
