"""A cache of compiled programs for this test run alone."""

import pytest

from ops.engines.object_cache import object_cache


@pytest.fixture(scope="session", autouse=True)
def private_object_cache(tmp_path_factory):
    """Every engine of these tests looks here; nothing is read from or left in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ATELIER_CACHE", str(tmp_path_factory.mktemp("cache")))
    object_cache.cache_clear()
    yield
    patch.undo()
    object_cache.cache_clear()
