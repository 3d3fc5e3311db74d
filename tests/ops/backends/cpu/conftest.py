"""Kernels of these tests are kept for this test run alone."""

from tests.ops.engines.conftest import private_object_cache

__all__ = ["private_object_cache"]
