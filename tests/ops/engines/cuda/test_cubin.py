"""Compiled kernels are kept, and never taken for those of other code, another GPU or another compiler."""

from dataclasses import replace

import pytest

from ops.engines.cuda.cubin import Compiler, cubin, key
from ops.engines.object_cache import ObjectCache, object_cache


@pytest.fixture
def compiled():
    return []


@pytest.fixture
def compiler(compiled):
    def run(code):
        compiled.append(code)
        return b"\x7fELF" + code.encode()

    return Compiler("90", "(13, 0) 14.2.0", run)


def test_the_second_start_compiles_nothing(tmp_path, compiler, compiled):
    first = cubin("kernel", compiler, ObjectCache(tmp_path))
    assert cubin("kernel", compiler, ObjectCache(tmp_path)) == first == b"\x7fELFkernel"
    assert compiled == ["kernel"]


@pytest.mark.parametrize("change", [{"architecture": "100"}, {"version": "(13, 1) 14.2.0"}], ids=str)
def test_another_gpu_or_compiler_has_kernels_of_its_own(tmp_path, compiler, compiled, change):
    for each in (compiler, replace(compiler, **change)):
        cubin("kernel", each, ObjectCache(tmp_path))
    assert len(compiled) == 2
    assert key("other", compiler) != key("kernel", compiler)


def test_what_is_damaged_or_refused_is_compiled_again(tmp_path, compiler, compiled):
    cubin("kernel", compiler, ObjectCache(tmp_path))
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1])
    assert cubin("kernel", compiler, ObjectCache(tmp_path)) == b"\x7fELFkernel"
    assert len(compiled) == 2
    cubin("kernel", compiler, ObjectCache(tmp_path), fresh=True)
    assert len(compiled) == 3


def test_they_lie_beside_the_object_files_of_the_cpu_engine():
    assert object_cache("cuda").folder.parent == object_cache("simd").folder.parent
    assert object_cache("cuda") != object_cache("simd")
