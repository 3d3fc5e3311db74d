"""What all tests share: how hypothesis draws, one thread for linear algebra, a working Ctrl-C, and a home on disk."""

import os
import signal

# Before NumPy is first imported. The arrays here are small, and workers run with one thread too.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(library, "1")

# A shell that starts the tests in the background has SIGINT ignored, which programs started by a test would inherit.
signal.signal(signal.SIGINT, signal.default_int_handler)

from pathlib import Path  # noqa: E402 -- see above

import pytest  # noqa: E402
from hypothesis import settings  # noqa: E402

from service.home import Home  # noqa: E402

# The same cases every time, so that a red run is red for everyone; a slow machine is no failure.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """A home of the test's own, known to the environment too."""
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path / "home"))
    return Home.from_environment()
