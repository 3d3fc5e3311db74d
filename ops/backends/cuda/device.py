"""The GPU as stages see it: memory, kernels, products of matrices and of convolutions, all on one stream."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ops.arrays import Array
from ops.backends.cuda import cudnn, plans
from ops.backends.cuda.convolution import Convolution, Convolver, Problem, Product
from ops.backends.cuda.cublas import WORKSPACE, Cublas
from ops.backends.cuda.launches import KERNELS, THREADS
from ops.backends.cuda.recording import Recording
from ops.backends.cuda.rounds import Averager
from ops.errors import Unsupported
from ops.step_config import Precision

LEAST_CAPABILITY = (8, 0)
"""The first compute capability whose tensor cores take float32 rounded to TF32."""


LARGE = 1 << 20
"""Bytes from which on a copy to the GPU is worth two on the host."""


class Device(Averager, Convolver, Protocol):
    """What stages ask of a GPU; tests put a CPU in its place. It is used inside `on()`."""

    def recorded(self, action: Callable[[], None]) -> Callable[[], None]:
        """What repeats an action that uses the same memory each time; see `ops.backends.cuda.recording`."""

    def multiply(
        self, a: Array, b: Array, out: Array, *, a_transposed: bool = False, b_transposed: bool = False
    ) -> None:
        """out = a b, of float32 matrices stored row by row, each transposed first where that is asked for."""


class CupyDevice:
    """The current GPU, through CuPy, cuBLAS and cuDNN.

    precision: `float32`, or `tf32` where products of convolutions and dense layers may take factors rounded to 10 bits.
    Raises Unsupported without cuDNN or a GPU.
    """

    def __init__(self, precision: Precision = "float32") -> None:
        import cupy

        self._cupy = cupy
        text = cupy.cuda.Device().compute_capability  # "90", "100"
        capability = (int(text[:-1]), int(text[-1]))
        self._tf32 = precision == "tf32"
        if self._tf32 and capability < LEAST_CAPABILITY:
            raise Unsupported(f"precision 'tf32' needs a GPU of compute capability 8.0 or more, got {capability}")
        self._kernels = dict(_kernels())
        self._added: set[str] = set()
        self._lock = RLock()
        self._stream = cupy.cuda.Stream(non_blocking=True)
        self._pool = cupy.cuda.MemoryPool()  # for what recordings make on their way
        self._workspace = cupy.empty(WORKSPACE, "u1")
        self._cublas = Cublas(self._stream.ptr, self._workspace.data.ptr)
        self._library = cudnn.Library()
        self._handle = self._library.handle()
        self._library.check(self._library.calls.cudnnSetStream(self._handle, self._stream.ptr), "take a stream")
        self._staging: Any = None
        self._plans: dict[Problem, plans.Plan] = {}

    @contextmanager
    def on(self) -> Iterator[None]:
        """See `Averager.on`."""
        with self._lock, self._stream:
            yield

    def recorded(self, action: Callable[[], None]) -> Callable[[], None]:
        """See `Device.recorded`."""
        return Recording(self._cupy, self._stream, self._pool, action)

    def empty(self, shape: tuple[int, ...], dtype: str = "f4") -> Array:
        """An array with nothing in it yet, from CuPy's pool."""
        return self._cupy.empty(shape, dtype)

    def array(self, host: Any) -> Array:
        """A copy of a host array. A large one goes by way of memory that the GPU reads by itself."""
        if not isinstance(host, np.ndarray) or host.nbytes < LARGE:
            return self._cupy.array(host)
        if self._staging is None or self._staging.size() < host.nbytes:
            self._staging = self._cupy.cuda.alloc_pinned_memory(host.nbytes)
        staged = np.frombuffer(self._staging, host.dtype, host.size)
        staged[...] = host.ravel()
        array = self._cupy.empty(host.shape, host.dtype)
        array.ravel().set(staged, stream=self._stream)
        self._stream.synchronize()  # what comes next may take the same memory
        return array

    def host(self, array: Array) -> NDArray[Any]:
        """A copy on the host, once all before it is done."""
        return array.get()

    def launch(self, kernel: str, blocks: int, *arguments: Any, threads: int = THREADS) -> None:
        """Put a kernel on the stream; nothing for no blocks."""
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
        """See `Device.multiply`."""
        k = a.shape[0] if a_transposed else a.shape[1]
        if not out.size:
            return
        self._cublas.multiply(
            *(a.data.ptr, b.data.ptr, out.data.ptr),
            shape=(*out.shape, k),
            transposed=(a_transposed, b_transposed),
            widths=(a.shape[1], b.shape[1]),
            tf32=self._tf32,
        )

    def convolve(self, product: Product, convolution: Convolution, x: Array, w: Array, y: Array) -> None:
        """See `Convolver`."""
        problem = Problem(product, convolution, self._tf32)
        if problem not in self._plans:
            self._plans[problem] = plans.plan(self._library, self._handle, problem)
        plan = self._plans[problem]
        workspace = self._cupy.empty(plan.workspace, "u1")
        variant = plans.variant(self._library, (x.data.ptr, w.data.ptr, y.data.ptr), workspace.data.ptr)
        execute = self._library.calls.cudnnBackendExecute
        self._library.check(
            execute(self._handle, plan.descriptor.pointer, variant.pointer), f"execute {problem.product}"
        )


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
