"""The flows as deployments of a Prefect server, served from this process."""

import os
from typing import Any

from prefect import Flow, get_client, serve
from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy
from prefect.deployments.runner import EntrypointType, RunnerDeployment
from prefect.exceptions import ObjectNotFound
from prefect.schedules import Cron

from flows.automations import keep_automations
from flows.evaluate import evaluate_flow
from flows.failures import explained
from flows.ingest import ingest_flow
from flows.orphans import give_up_orphans
from flows.sweep import sweep_flow
from flows.train import train_flow
from service.config import ClusterConfig, from_preset
from service.errors import InvalidInput
from service.home import Home
from service.networks.presets import PRESETS

TAG = "atelier"
"""Every deployment's tag, and so every flow run's: automations go by it."""


def serve_forever(home: Home, scheduler: str = "", trainings: int = 1) -> None:
    """Register the deployments and run what is asked for until stopped.

    scheduler: the Dask scheduler that forms propose; empty proposes a local cluster for each run.
    trainings: how many trainings of each form may run at a time; the others wait in line.

    Raises InvalidInput where no server is named, AtelierError where it doesn't answer or refuses us.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise InvalidInput("PREFECT_API_URL must name a Prefect server, e.g. http://127.0.0.1:4200/api")
    with explained(home):
        keep_automations(TAG)
        give_up_orphans(home, TAG)
        nightly = _nightly_is_on()
    serve(*deployments(scheduler, trainings, nightly=nightly), pause_on_shutdown=False)


def deployments(scheduler: str, trainings: int, *, nightly: bool = False) -> list[RunnerDeployment]:
    """What people find in Prefect's UI. nightly: whether the schedule of that name is switched on."""
    cluster = {"cluster": ClusterConfig(scheduler=scheduler).model_dump()}
    schedule = Cron(
        "0 3 * * *",
        timezone="UTC",
        active=nightly,
        slug="nightly",
        parameters={"config": {"name": "nightly"}, **cluster},
    )
    return [
        _deployment(ingest_flow, "ingest", "data"),
        _training("train", {}, cluster, trainings, schedules=[schedule]),
        # A form sends every field. So each network whose settings differ has a form that begins with them.
        *(_training(f"train-{name}", {"model": name}, cluster, trainings) for name in PRESETS),
        _deployment(evaluate_flow, "evaluate", "training", parameters=cluster),
        _deployment(sweep_flow, "sweep", "training", parameters=cluster),
    ]


def _nightly_is_on() -> bool:
    """Whether somebody switched it on; registering a deployment would switch it off again."""
    with get_client(sync_client=True) as client:
        try:
            held = client.read_deployment_by_name("train/train")
        except ObjectNotFound:
            return False
    return any(schedule.slug == "nightly" and bool(schedule.active) for schedule in held.schedules)


def _training(
    name: str, preset: dict[str, Any], cluster: dict[str, Any], trainings: int, **more: Any
) -> RunnerDeployment:
    config = from_preset(preset)
    return _deployment(
        train_flow,
        name,
        "training",
        description=f"{train_flow.description} The form begins with the settings of the network {config.model}.",
        parameters={"config": config.model_dump(), **cluster},
        concurrency_limit=ConcurrencyLimitConfig(limit=trainings, collision_strategy=ConcurrencyLimitStrategy.ENQUEUE),
        **more,
    )


def _deployment(flow: Flow[..., Any], name: str, tag: str, **more: Any) -> RunnerDeployment:
    more.setdefault("description", flow.description)
    return RunnerDeployment.from_flow(
        flow,
        name=name,
        tags=[TAG, tag],
        entrypoint_type=EntrypointType.MODULE_PATH,
        **more,
    )
