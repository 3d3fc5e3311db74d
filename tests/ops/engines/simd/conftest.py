"""A cache of compiled rounds for this test run alone."""

import pytest

from ops.engines.simd import store


@pytest.fixture(scope="session", autouse=True)
def compiled_rounds(tmp_path_factory):
    """Every engine of these tests looks here; nothing is read from or left in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ATELIER_CACHE", str(tmp_path_factory.mktemp("cache")))
    store.default_store.cache_clear()
    yield
    patch.undo()
    store.default_store.cache_clear()
