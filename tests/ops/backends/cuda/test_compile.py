"""Every kernel compiles for each kind of GPU, without one, into registers alone: nothing spills into memory."""

import re

import pytest

from ops.backends.cuda.launches import KERNELS
from tests.ops.backends.cuda.host import SOURCE
from tests.ops.engines.cuda.test_compile import ARCHITECTURES, OPTIONS_OF_CUPY

nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is not installed")


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(name, marks=[] if name == "sm_90" else pytest.mark.slow) for name in ARCHITECTURES],
)
def test_kernels_compile_without_spills(architecture):
    _, program = nvrtc.nvrtcCreateProgram(SOURCE.read_bytes(), b"kernels.cu", 0, [], [])
    for name in KERNELS:
        (status,) = nvrtc.nvrtcAddNameExpression(program, name.encode())
        assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
    options = [f"-arch={architecture}".encode(), b"-std=c++17", *OPTIONS_OF_CUPY, b"--ptxas-options=-v"]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    for name in KERNELS:
        status, lowered = nvrtc.nvrtcGetLoweredName(program, name.encode())
        assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS
        assert f"Compiling entry function '{lowered.decode()}'" in log.decode()
    nvrtc.nvrtcDestroyProgram(program)
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log.decode())
    assert len(spills) >= len(KERNELS)
    assert set(spills) == {("0", "0")}
