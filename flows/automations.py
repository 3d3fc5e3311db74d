"""What Prefect does by itself about flow runs whose process is gone: it marks them, and has them started again."""

from datetime import timedelta

from prefect import get_client
from prefect.automations import AutomationCore, ChangeFlowRunState, EventTrigger, Posture, ResourceSpecification
from prefect.client.schemas.objects import StateType

SILENCE = timedelta(seconds=90)
"""After that much time without a heartbeat a flow run is given up; they come every 30 seconds."""

HEARTBEAT = "prefect.flow-run.heartbeat"
CRASHED = "prefect.flow-run.Crashed"
ENDED = {f"prefect.flow-run.{state}" for state in ("Completed", "Failed", "Cancelled", "Paused")} | {CRASHED}


def keep_automations(tag: str) -> None:
    """Have the server hold our automations as they are here; only flow runs with the tag are concerned."""
    with get_client(sync_client=True) as client:
        for automation in automations(tag):
            held = client.read_automations_by_name(automation.name)
            if held:
                as_before = automation.model_copy(update={"enabled": held[0].enabled})
                client.update_automation(held[0].id, as_before)
            else:
                client.create_automation(automation)


def automations(tag: str) -> list[AutomationCore]:
    """Two: no heartbeat for a while means crashed, and what crashed is scheduled again."""
    flow_runs = ResourceSpecification({"prefect.resource.id": "prefect.flow-run.*"})
    tagged = ResourceSpecification({"prefect.resource.id": f"prefect.tag.{tag}", "prefect.resource.role": "tag"})
    return [
        AutomationCore(
            name=f"{tag}: mark zombie runs",
            description="A flow run that sends no heartbeat any more has crashed.",
            trigger=EventTrigger(
                match=flow_runs,
                match_related=tagged,
                for_each={"prefect.resource.id"},
                after={HEARTBEAT},
                expect={HEARTBEAT, *ENDED},
                posture=Posture.Proactive,
                threshold=1,
                within=SILENCE,
            ),
            actions=[_change(StateType.CRASHED, "Its process sends no heartbeat.")],
        ),
        AutomationCore(
            name=f"{tag}: resume crashed runs",
            description="A flow run that crashed is started again and goes on from its newest checkpoint.",
            trigger=EventTrigger(
                match=flow_runs,
                match_related=tagged,
                for_each={"prefect.resource.id"},
                expect={CRASHED},
                posture=Posture.Reactive,
                threshold=1,
            ),
            actions=[_change(StateType.SCHEDULED, "Goes on where it crashed.")],
        ),
    ]


def _change(state: StateType, message: str) -> ChangeFlowRunState:
    return ChangeFlowRunState(state=state, name=None, message=message, force=False)
