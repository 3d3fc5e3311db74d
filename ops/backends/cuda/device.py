"""The GPU as stages see it: memory, kernels, products of matrices and of convolutions."""

from functools import cache
from pathlib import Path
from threading import Lock
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.backends.cuda import cudnn, plans
from ops.backends.cuda.convolution import Arithmetic, Convolver, Problem
from ops.backends.cuda.launches import KERNELS, THREADS
from ops.backends.cuda.rounds import Averager
from ops.errors import Unsupported

SPLIT_PAYS = ((8, 0), (9, 0), (10, 0), (10, 3))
"""Compute capabilities whose tensor cores take TF32 more than three times as fast as float32 goes without them."""


class Device(Averager, Convolver, Protocol):
    """What stages ask of a GPU; tests put a CPU in its place.

    arithmetic: how the products of convolutions are computed.
    """

    arithmetic: Arithmetic

    def multiply(
        self, a: Array, b: Array, out: Array, *, a_transposed: bool = False, b_transposed: bool = False
    ) -> None:
        """out = a b, of float32 matrices stored row by row, each transposed first where that is asked for."""


class CupyDevice:
    """The current GPU, through CuPy, cuBLAS and cuDNN.

    precision: `float32`, or `tf32` where products of convolutions and dense layers may take factors rounded to 10 bits.
    Raises Unsupported without cuDNN or a GPU.
    """

    def __init__(self, precision: Literal["float32", "tf32"] = "float32") -> None:
        import cupy
        from cupy.cuda import cublas

        self._cupy, self._cublas = cupy, cublas
        text = cupy.cuda.Device().compute_capability  # "90", "100"
        capability = (int(text[:-1]), int(text[-1]))
        if precision == "tf32" and capability < (8, 0):
            raise Unsupported(f"precision 'tf32' needs a GPU of compute capability 8.0 or more, got {capability}")
        self._kernels = dict(_kernels())
        self._added: set[str] = set()
        self._handle = cupy.cuda.device.get_cublas_handle()  # cuDNN wants cuBLAS loaded
        self._library = cudnn.Library()
        self._dnn = self._library.handle()
        self._plans: dict[Problem, plans.Plan] = {}
        self._lock = Lock()  # a handle is for one thread at a time
        self._tf32 = precision == "tf32"
        exact = Arithmetic.SPLIT if capability in SPLIT_PAYS else Arithmetic.FLOAT32
        self.arithmetic = Arithmetic.TF32 if self._tf32 else exact

    def empty(self, shape: tuple[int, ...], dtype: str = "f4") -> Array:
        """An array with nothing in it yet, from CuPy's pool."""
        return self._cupy.empty(shape, dtype)

    def array(self, host: Any) -> Array:
        """A copy of a host array."""
        return self._cupy.asarray(host)

    def host(self, array: Array) -> NDArray[Any]:
        """A copy on the host, once all before it is done."""
        return array.get()

    def launch(self, kernel: str, blocks: int, *arguments: Any, threads: int = THREADS) -> None:
        """Put a kernel on the current stream; nothing for no blocks."""
        if blocks:
            self._kernels[kernel]((blocks,), (threads,), tuple(map(_argument, arguments)))

    def add_kernels(self, code: str, names: tuple[str, ...]) -> None:
        """Compile more kernels, to be launched by their names."""
        if code in self._added:
            return
        self._added.add(code)
        module = self._cupy.RawModule(code=code, options=("-std=c++17",))
        self._kernels |= {name: module.get_function(name) for name in names}

    def multiply(
        self, a: Array, b: Array, out: Array, *, a_transposed: bool = False, b_transposed: bool = False
    ) -> None:
        """See `Device.multiply`. cuBLAS stores columns: it is asked for outᵀ = bᵀ aᵀ."""
        m, n = out.shape
        k = a.shape[0] if a_transposed else a.shape[1]
        if not m or not n:
            return
        cublas = self._cublas
        compute = cublas.CUBLAS_COMPUTE_32F_FAST_TF32 if self._tf32 else cublas.CUBLAS_COMPUTE_32F
        handle = self._cupy.cuda.device.get_cublas_handle()
        cublas.gemmEx(
            *(handle, int(b_transposed), int(a_transposed), n, m, k, _ONE.ctypes.data),
            *(b.data.ptr, _CUDA_R_32F, b.shape[1], a.data.ptr, _CUDA_R_32F, a.shape[1], _ZERO.ctypes.data),
            *(out.data.ptr, _CUDA_R_32F, n, compute, cublas.CUBLAS_GEMM_DEFAULT),
        )

    def convolve(self, problem: Problem, x: Array, w: Array, y: Array) -> None:
        """See `Convolver`."""
        with self._lock:
            if problem not in self._plans:
                self._plans[problem] = plans.plan(self._library, self._dnn, problem)
            plan = self._plans[problem]
            workspace = self._cupy.empty(plan.workspace, "u1")
            pointers = (x.data.ptr, w.data.ptr, y.data.ptr)
            variant = plans.variant(self._library, pointers, workspace.data.ptr)
            calls, stream = self._library.calls, self._cupy.cuda.get_current_stream()
            self._library.check(calls.cudnnSetStream(self._dnn, stream.ptr), "take a stream")
            status = calls.cudnnBackendExecute(self._dnn, plan.descriptor.pointer, variant.pointer)
            self._library.check(status, f"execute {problem}")


_CUDA_R_32F = 0
_ONE, _ZERO = np.ones(1, np.float32), np.zeros(1, np.float32)


@cache
def _kernels() -> dict[str, Any]:
    """Every kernel, compiled for the current GPU; CuPy keeps the machine code on disk."""
    import cupy

    code = Path(__file__).with_name("kernels.cu").read_text()
    module = cupy.RawModule(code=code, options=("-std=c++17",), name_expressions=KERNELS)
    return {name: module.get_function(name) for name in KERNELS}


def _argument(value: Any) -> Any:
    """As CuPy hands it to a kernel: 32 bits a number."""
    if value is None:
        return np.uintp(0)
    if isinstance(value, float):
        return np.float32(value)
    return np.uint32(value) if isinstance(value, int) else value
