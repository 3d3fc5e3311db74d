"""A cache of compiled rounds for this test run alone, and processors other than this one."""

import llvmlite.binding as llvm
import pytest

from ops.engines.simd import store
from ops.engines.simd.host import host

AVX2 = (
    "sse",
    "sse2",
    "sse3",
    "ssse3",
    "sse4.1",
    "sse4.2",
    "popcnt",
    "avx",
    "avx2",
    "fma",
    "bmi",
    "bmi2",
    "64bit",
    "cx8",
)


@pytest.fixture(scope="session", autouse=True)
def compiled_rounds(tmp_path_factory):
    """Every engine of these tests looks here; nothing is read from or left in the user's cache."""
    patch = pytest.MonkeyPatch()
    patch.setenv("ATELIER_CACHE", str(tmp_path_factory.mktemp("cache")))
    store.default_store.cache_clear()
    yield
    patch.undo()
    store.default_store.cache_clear()


@pytest.fixture
def pretend(monkeypatch):
    """Take this processor for one with other features: `pretend("haswell", AVX2)`."""

    def change(name, features):
        present = llvm.FeatureMap(dict.fromkeys(features, True))
        monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: present)
        monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: name)
        host.cache_clear()

    yield change
    monkeypatch.undo()
    host.cache_clear()
