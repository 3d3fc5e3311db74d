"""Tests of this folder run on a GPU: their array module is CuPy."""

from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def xp() -> ModuleType:
    import cupy

    return cupy
