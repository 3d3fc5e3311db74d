"""A coordinator as a process of its own that can be killed: begins a run, or continues it, on a given scheduler."""

import json
import sys

from service.cluster.connection import open_cluster
from service.config import ClusterConfig, from_preset
from service.errors import NotFound
from service.home import Home
from service.runs import RunFolder
from service.training.loop import advance, begin, reopen


def main(run: str, scheduler: str, given: str) -> None:
    """Take the run to its end, from wherever it is."""
    home = Home.from_environment()
    with open_cluster(ClusterConfig(scheduler=scheduler)) as cluster:
        try:
            folder = RunFolder.open(home.runs, run)
            job = reopen(home, cluster, folder)
        except NotFound:
            folder, job = begin(home, cluster, from_preset(json.loads(given)), run)
        for _ in advance(cluster, folder, job):
            pass


if __name__ == "__main__":
    main(*sys.argv[1:])
