"""Processors other than this one."""

import llvmlite.binding as llvm
import pytest

from ops.engines.simd.cpu import cpu

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


@pytest.fixture
def pretend(monkeypatch):
    """Take this processor for one with other features: `pretend("haswell", AVX2)`."""

    def change(name, features):
        present = llvm.FeatureMap(dict.fromkeys(features, True))
        monkeypatch.setattr(llvm, "get_host_cpu_features", lambda: present)
        monkeypatch.setattr(llvm, "get_host_cpu_name", lambda: name)
        cpu.cache_clear()

    yield change
    monkeypatch.undo()
    cpu.cache_clear()
