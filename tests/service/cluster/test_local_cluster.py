"""A cluster that begins and ends with a command."""

import io
import logging

from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig


def test_what_dask_logs_after_its_cluster_was_closed_is_not_shown():
    """A training that is interrupted ends with one line, also where a connection notices late that it was cut."""
    shown = io.StringIO()
    handler = logging.StreamHandler(shown)
    dask = logging.getLogger("distributed")
    dask.addHandler(handler)
    try:
        logging.getLogger("distributed.batched").warning("before")
        with open_cluster(ClusterConfig(workers=1, worker_type="threads")) as cluster:
            assert len(cluster.workers) == 1
        logging.getLogger("distributed.batched").error("Batched Comm Closed")
    finally:
        dask.removeHandler(handler)
    assert shown.getvalue() == "before\n"
