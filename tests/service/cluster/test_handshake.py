"""What is said where an address and Dask's settings for TLS don't fit each other."""

from pathlib import Path

import dask
import pytest

from service.cluster.local_cluster import check_scheduler
from service.errors import ClusterError

FILES = {
    "distributed.comm.tls.ca-file": "authority.pem",
    "distributed.comm.tls.client.cert": "certificate.pem",
    "distributed.comm.tls.client.key": "key.pem",
}


def test_an_address_that_takes_tls_needs_a_certificate():
    with pytest.raises(ClusterError, match=r"tls://127\.0\.0\.1:9 takes TLS alone: set DASK_DISTRIBUTED__COMM__TLS__"):
        check_scheduler("tls://127.0.0.1:9")


def test_files_that_are_missing_or_are_no_certificates_are_told(tmp_path: Path):
    for content in (None, "no certificate"):
        paths = {setting: str(tmp_path / name) for setting, name in FILES.items()}
        if content:
            for path in paths.values():
                Path(path).write_text(content)
        with dask.config.set(paths), pytest.raises(ClusterError, match=r"the files that DASK_.* name can't be used: "):
            check_scheduler("tls://127.0.0.1:9")


def test_an_address_without_tls_is_refused_where_encryption_is_required():
    with (
        dask.config.set({"distributed.comm.require-encryption": True}),
        pytest.raises(ClusterError, match=r"tcp://127\.0\.0\.1:9 has none: name it tls://…"),
    ):
        check_scheduler("tcp://127.0.0.1:9")
