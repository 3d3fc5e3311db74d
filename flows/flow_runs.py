"""Which run on disk belongs to a flow run, so that a flow run that is started again finds what it did before."""

from typing import Any

from prefect.client.schemas.objects import FlowRun
from prefect.context import FlowRunContext

from service.config import TrainConfig
from service.errors import NotFound, RunError
from service.home import Home
from service.runs import find_run, run_at
from service.storage import Place

STARTS = 10
"""How often one flow run may be started: a training that crashes each time must not do so for ever."""


def run_name(name: str) -> str:
    """The name of the run of the flow run that this is called in: the one that is chosen, or one made of its id."""
    return name or _made_up(_here())


def continues(runs: Place, run: str, config: TrainConfig) -> bool:
    """Whether this flow run was started before and had begun the run.

    Raises RunError where it was started too often.
    """
    here = _here()
    if here.run_count <= 1 or not run_at(runs, run).exists():
        return False
    if here.run_count > STARTS:
        raise RunError(f"run {run} was started {here.run_count} times and never came to its end: see the workers' logs")
    return find_run(runs, run).config() == config


def mark_cancelled(flow: Any, flow_run: FlowRun, state: Any) -> None:
    """Write down in the round log that the run was cancelled; its process is gone by now."""
    try:
        find_run(Home.from_environment().runs, run_of(flow_run)).conclude("cancelled")
    except NotFound:
        return


def run_of(flow_run: FlowRun) -> str:
    """The name of a flow run's run on disk."""
    return flow_run.parameters.get("run") or _made_up(flow_run)


def _made_up(flow_run: FlowRun) -> str:
    if flow_run.created is None:
        raise AssertionError("a flow run that the server knows has a time of creation")
    return f"{flow_run.created:%Y%m%d-%H%M%S}-{flow_run.id.hex[-4:]}"


def _here() -> FlowRun:
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        raise AssertionError("only a flow may ask this")
    return context.flow_run
