"""The flows as deployments of a Prefect server, served from this process."""

import os

from prefect import serve
from prefect.deployments.runner import RunnerDeployment

from flows.evaluate import evaluate_flow
from flows.ingest import ingest_flow
from flows.train import train_flow
from service.errors import InvalidInput


def serve_forever() -> None:
    """Register the deployments and run what is asked for until stopped. Raises InvalidInput without a server."""
    if not os.environ.get("PREFECT_API_URL"):
        raise InvalidInput("PREFECT_API_URL must name a Prefect server, e.g. http://127.0.0.1:4200/api")
    serve(
        RunnerDeployment.from_flow(ingest_flow, name="ingest", tags=["data"]),
        RunnerDeployment.from_flow(train_flow, name="train", tags=["training"]),
        RunnerDeployment.from_flow(evaluate_flow, name="evaluate", tags=["training"]),
        pause_on_shutdown=False,
    )
