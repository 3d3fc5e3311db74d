"""Every kernel compiles for each kind of GPU, without one, into registers alone: nothing spills into memory."""

import re

import pytest

from ops import zoo
from ops.engines.cuda.device import KERNELS
from ops.engines.cuda.layout import MOST_SHARED, MOST_SHARED_TENSOR, layout
from ops.engines.cuda.source import source
from ops.testing.cases import STEP_CONFIGS
from tests.ops.engines.cuda.test_parity import COVERED, recipe_of
from tests.ops.engines.networks import tried

nvrtc = pytest.importorskip("cuda.bindings.nvrtc", reason="NVRTC is not installed")

OPTIONS_OF_CUPY = (b"-ftz=true", b"--device-as-default-execution-space")
"""What CuPy 14 compiles with, besides the engine's own."""

MOST_REGISTERS = 128
"""So that a block of 512 threads has them, and two blocks of the update share a multiprocessor's 65,536."""

ARCHITECTURES = ("sm_80", "sm_90", "sm_100")

ZOO = {name: zoo.network(name, (1, 28, 28), 10) for name in ("lenet", "lenet-relu", "mlp")}


def compiled(code, architecture):
    """NVRTC's log, with what ptxas says of each kernel."""
    _, program = nvrtc.nvrtcCreateProgram(code.encode(), b"step.cu", 0, [], [])
    options = [f"-arch={architecture}".encode(), b"-std=c++17", *OPTIONS_OF_CUPY, b"--ptxas-options=-v"]
    (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
    _, size = nvrtc.nvrtcGetProgramLogSize(program)
    log = b" " * size
    nvrtc.nvrtcGetProgramLog(program, log)
    nvrtc.nvrtcDestroyProgram(program)
    assert status == nvrtc.nvrtcResult.NVRTC_SUCCESS, log.decode()
    return log.decode()


@pytest.mark.parametrize(
    "architecture",
    [pytest.param(name, marks=[] if name == "sm_90" else pytest.mark.slow) for name in ARCHITECTURES],
)
@pytest.mark.parametrize("name", [*ZOO, *tried(COVERED)])
def test_kernels_compile_without_spills(name, architecture):
    network, step_config = (ZOO[name], STEP_CONFIGS[1]) if name in ZOO else (COVERED[name], recipe_of(name))
    tensor_cores = architecture != "sm_80"
    place = layout(network, MOST_SHARED_TENSOR if tensor_cores else MOST_SHARED, tensor_cores=tensor_cores)
    log = compiled(source(network, step_config, place), architecture)
    names = re.findall(r"Compiling entry function '(\w+)'", log)
    spills = re.findall(r"(\d+) bytes spill stores, (\d+) bytes spill loads", log)
    registers = list(map(int, re.findall(r"Used (\d+) registers", log)))
    assert sorted(names) == sorted(KERNELS)
    assert len(registers) == len(KERNELS)
    assert set(spills) == {("0", "0")}
    assert max(registers) <= MOST_REGISTERS
    print(network.name, architecture, dict(zip(names, registers, strict=True)))
