"""Bring a data set into the store."""

from pathlib import Path

from prefect import flow, get_run_logger

from service.config import Name
from service.data import DatasetInfo, ingest
from service.home import Home


@flow(name="ingest", description="Find the source files, check them, and build the Zarr store.")
def ingest_flow(dataset: Name = "fashion-mnist", source: str = "") -> DatasetInfo:
    """Bring a data set in; one that is there and whole stays as it is.

    Args:
        dataset: The name to store it under.
        source: A folder with the four files, or data in another format; empty looks in the usual places.
    """
    home = Home.from_environment()
    home.prepare()
    return ingest(home, dataset=dataset, source=Path(source) if source else None, progress=get_run_logger().info)
