"""What all tests share: how hypothesis draws, one thread for linear algebra, a working Ctrl-C, a home, a storage."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator

# Before NumPy is first imported. The arrays here are small, and workers run with one thread too.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(library, "1")

# A shell that starts the tests in the background has SIGINT ignored, and `nohup` SIGHUP: programs started by a test
# would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)

from pathlib import Path  # noqa: E402 -- see above
from uuid import uuid4  # noqa: E402

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from service.environment.processors import usable_processors  # noqa: E402
from service.home import Home  # noqa: E402
from tests.object_storage import new_bucket, point_to, serving_objects  # noqa: E402

# The same cases every time, so that a red run is red for everyone; a slow machine is no failure.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One process more than there are processors: a third of the time is waiting, for servers and clusters."""
    return usable_processors() + 1


def pytest_configure(config: pytest.Config) -> None:
    """Let all processes of a test run share compiled programs; nothing is read from or left in the user's cache."""
    if hasattr(config, "workerinput"):
        return  # a process of pytest-xdist, which has the environment of the first
    folder = tempfile.mkdtemp(prefix="atelier-cache-")
    os.environ["ATELIER_CACHE"] = folder
    config.add_cleanup(lambda: shutil.rmtree(folder, ignore_errors=True))


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home of the test's own, known to the environment too."""
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path / "home"))
    for name in ("ATELIER_MODELS", "ATELIER_DATA", "ATELIER_RUNS"):
        monkeypatch.delenv(name, raising=False)
    return Home.from_environment()


@pytest.fixture(scope="session")
def object_storage() -> Iterator[str]:
    """The address of a server that speaks S3, known to the environment too."""
    with serving_objects() as endpoint, pytest.MonkeyPatch.context() as patched:
        point_to(endpoint, patched)
        yield endpoint


@pytest.fixture(params=["folder", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """Where models may lie, with nothing there yet: a folder, and then a bucket in object storage."""
    if request.param == "folder":
        return tmp_path / "models"
    endpoint = request.getfixturevalue("object_storage")
    return new_bucket(endpoint, f"bucket-{uuid4().hex[:12]}")
