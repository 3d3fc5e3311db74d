"""A coordinator as a process of its own that can be killed: begins a run, or continues it, on a given scheduler."""

import json
import sys

from service.cluster import connection, local_cluster
from service.cluster.dask_executor import open_executor
from service.config import ClusterConfig, from_preset
from service.errors import NotFound
from service.home import Home
from service.runs import find_run
from service.training.loop import advance
from service.training.resume import reopen_run
from service.training.start import create_run


def main(run: str, scheduler: str, given: str) -> None:
    """Take the run to its end, from wherever it is."""
    home = Home.from_environment()
    # Scheduler and workers are started at the same time, and a busy machine may take long for that.
    connection.CONNECT_SECONDS = local_cluster.CONNECT_SECONDS = 60
    with open_executor(ClusterConfig(scheduler=scheduler)) as executor:
        try:
            folder = find_run(home.runs, run)
            job = reopen_run(home, executor, folder)
        except NotFound:
            folder, job = create_run(home, executor, from_preset(json.loads(given)), run)
        for _ in advance(executor, folder, job):
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
