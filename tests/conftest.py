"""What all tests share: how hypothesis draws, and one thread for linear algebra."""

import os

# Before NumPy is first imported. The arrays here are small, and workers run with one thread too.
for library in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(library, "1")

from hypothesis import settings  # noqa: E402 -- see above

# The same cases every time, so that a red run is red for everyone; a slow machine is no failure.
settings.register_profile("tests", deadline=None, derandomize=True, database=None)
settings.load_profile("tests")
