"""Without CuPy, a driver or memory there is one clear line."""

import sys
from types import SimpleNamespace

import pytest

from ops import zoo
from ops.engines import choose
from ops.engines.cuda.device import CupyDevice, missing
from ops.errors import Unsupported
from ops.step_config import StepConfig

LENET = zoo.network("lenet", (1, 28, 28), 10)


class CudaError(RuntimeError):
    pass


def stand_in(count=1, free=1 << 40, shared=99 << 10):
    """As much of CuPy as is asked whether there is a GPU."""

    def devices():
        if count is None:
            raise CudaError("no driver")
        return count

    runtime = SimpleNamespace(getDeviceCount=devices, memGetInfo=lambda: (free, 1 << 40), CUDARuntimeError=CudaError)
    device = SimpleNamespace(attributes={"MaxSharedMemoryPerBlockOptin": shared})
    return SimpleNamespace(cuda=SimpleNamespace(runtime=runtime, Device=lambda: device))


@pytest.mark.parametrize(
    ("cupy", "reason"),
    [
        (None, "CuPy is not installed"),
        (stand_in(count=None), "CUDA finds no device .no driver."),
        (stand_in(count=0), "CUDA finds no device"),
        (stand_in(free=1000), "the GPU has 1,000 bytes free of 1,099,511,627,776, and 67,108,864 are needed"),
    ],
    ids=["no CuPy", "no driver", "no GPU", "no memory"],
)
def test_what_is_missing_is_said_in_one_line_and_auto_falls_back(monkeypatch, cupy, reason):
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    for refused in (CupyDevice, lambda: choose(LENET, StepConfig(), device="cuda")):
        with pytest.raises(Unsupported, match=f"no GPU can be used here: {reason}") as error:
            refused()
        assert "\n" not in str(error.value)
    choice = choose(LENET, StepConfig())
    assert choice.device == "cpu"
    assert missing() in choice.why


def test_a_gpu_with_free_memory_is_not_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", stand_in())
    assert missing() == ""
    assert choose(LENET, StepConfig()).engine == "cuda"


def test_a_gpu_with_too_little_shared_memory_takes_the_composed_operators(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", stand_in(shared=48 << 10))
    choice = choose(LENET, StepConfig())
    assert (choice.engine, choice.device) == ("array", "cuda")
    assert "numbers in 49,152 bytes of shared memory, 'lenet' needs 73,148" in choice.why
