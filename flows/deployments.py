"""The flows as deployments of a Prefect server, served from this process."""

import os

from prefect import serve
from prefect.deployments.runner import EntrypointType, RunnerDeployment

from flows.evaluate import evaluate_flow
from flows.ingest import ingest_flow
from flows.train import train_flow
from service.errors import InvalidInput


def serve_forever(scheduler: str = "") -> None:
    """Register the deployments and run what is asked for until stopped. Raises InvalidInput without a server.

    scheduler: the Dask scheduler that forms propose; empty proposes a local cluster for each run.
    """
    if not os.environ.get("PREFECT_API_URL"):
        raise InvalidInput("PREFECT_API_URL must name a Prefect server, e.g. http://127.0.0.1:4200/api")
    cluster = {"cluster": {"scheduler": scheduler, "workers": 0}}
    serve(
        RunnerDeployment.from_flow(
            ingest_flow, name="ingest", tags=["data"], entrypoint_type=EntrypointType.MODULE_PATH
        ),
        RunnerDeployment.from_flow(
            train_flow,
            name="train",
            tags=["training"],
            parameters=cluster,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        RunnerDeployment.from_flow(
            evaluate_flow,
            name="evaluate",
            tags=["training"],
            parameters=cluster,
            entrypoint_type=EntrypointType.MODULE_PATH,
        ),
        pause_on_shutdown=False,
    )
