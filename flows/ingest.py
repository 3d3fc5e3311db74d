"""Bring a data set into the store."""

from pathlib import Path

from prefect import flow, get_run_logger

from service.config import Name
from service.data import DatasetInfo, ingest
from service.data.options import IngestOptions
from service.home import Home

AS_IT_IS = IngestOptions()


@flow(name="ingest", description="Find the source files, check them, and build the Zarr store.")
def ingest_flow(dataset: Name = "fashion-mnist", source: str = "", options: IngestOptions = AS_IT_IS) -> DatasetInfo:
    """Bring a data set in; one that is there and whole stays as it is.

    Args:
        dataset: The name to store it under.
        source: A file or folder in one of the formats; empty looks in the usual places.
        options: How to read it.
    """
    home = Home.from_environment()
    home.prepare()
    path = Path(source) if source else None
    return ingest(home, dataset=dataset, source=path, progress=get_run_logger().info, options=options)
