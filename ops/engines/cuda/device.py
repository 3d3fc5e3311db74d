"""CuPy, as far as the engine needs it, and whether a GPU can be used here. Importing this needs neither."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Protocol

import numpy as np

from ops.engines.cuda.cubin import OPTIONS, Compiler, cubin
from ops.engines.cuda.plan import Launch
from ops.engines.object_cache import object_cache
from ops.errors import Unsupported

STEPS = ("begin_kernel", "examples_kernel", "update_kernel")
AVERAGE = ("distances_kernel", "average_kernel", "lengths_kernel", "sums_kernel")
KERNELS = (*STEPS, *AVERAGE, "predict_kernel")

LEAST_FREE = 64 << 20
"""Bytes that must be free for a GPU to count as usable: the data set, buffers and CUDA's own."""


RESERVED = 1024
"""Bytes of shared memory that CUDA takes for itself in each block (CUDA C++ Programming Guide)."""


TENSOR_CORES = 90
"""The compute capability from which on convolutions can be computed on tensor cores."""


class Device(Protocol):
    """What the engine asks of a GPU; tests put a CPU in its place.

    Attributes:
        shared: bytes of shared memory that a block may have.
        tensor_cores: whether convolutions are computed on tensor cores.
    """

    shared: int
    tensor_cores: bool

    def compile(self, code: str, shared: int) -> Any: ...

    def array(self, host: np.ndarray) -> Any: ...

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any: ...

    def write(self, array: Any, host: np.ndarray) -> None: ...

    def read(self, array: Any) -> np.ndarray: ...

    def launch(self, module: Any, launch: Launch, buffers: Mapping[str, Any]) -> None: ...

    def graph(self, module: Any, launches: tuple[Launch, ...], buffers: Mapping[str, Any]) -> Any: ...

    def replay(self, graph: Any) -> None: ...

    def staging(self, size: int) -> np.ndarray: ...

    def fetch(self, array: Any, into: np.ndarray) -> None: ...

    def mark(self) -> Any: ...

    def wait(self, mark: Any) -> None: ...

    def seconds(self, first: Any, last: Any) -> float: ...


def missing() -> str:
    """Why no GPU can be used here, in a few words; empty if one can."""
    try:
        import cupy
    except ImportError:
        return "CuPy is not installed (pip install 'atelier-train[cuda13]' or '[cuda12]')"
    try:
        if not cupy.cuda.runtime.getDeviceCount():
            return "CUDA finds no device"
        free, total = cupy.cuda.runtime.memGetInfo()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CUDA finds no device ({error})"
    if free < LEAST_FREE:
        return f"the GPU has {free:,} bytes free of {total:,}, and {LEAST_FREE:,} are needed"
    return ""


def compute_capability() -> str:
    """The current GPU's, as "90"."""
    import cupy

    return str(cupy.cuda.Device().compute_capability)


def shared_memory() -> int:
    """Bytes of shared memory that a block may have on the current GPU."""
    import cupy

    return int(cupy.cuda.Device().attributes["MaxSharedMemoryPerBlockOptin"])


class CupyDevice:
    """The current GPU. Memory is allocated plainly, so that workers sharing a GPU take just what they need."""

    def __init__(self, *, tensor_cores: bool = False) -> None:
        """Take the current GPU.

        Args:
            tensor_cores: whether convolutions are computed on tensor cores where the GPU has them. Not by default: on
                an H200 the way without them was the faster one where both were measured.

        Raises:
            Unsupported: there is no GPU.
        """
        absent = missing()
        if absent:
            raise Unsupported(f"no GPU can be used here: {absent}")
        import cupy

        self._cupy = cupy
        self.shared = shared_memory()
        self.tensor_cores = tensor_cores and int(cupy.cuda.Device().compute_capability) >= TENSOR_CORES
        self._stream = cupy.cuda.Stream(non_blocking=True)

    def compile(self, code: str, shared: int) -> Any:
        """Compile the kernels for this GPU, by name, and allow their blocks so many bytes of shared memory."""
        driver = self._cupy.cuda.driver
        whole = self._cupy.cuda.Device().attributes["MaxSharedMemoryPerMultiprocessor"]
        module = self._module(code)
        kernels = {name: module.get_function(name) for name in KERNELS}
        for name, kernel in kernels.items():
            if name in ("examples_kernel", "predict_kernel"):
                driver.funcSetAttribute(kernel.ptr, driver.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, shared)
            # What is left is first-level cache. The same for all: a multiprocessor would be set up anew between two.
            share = min(100, -(-100 * (shared + RESERVED) // whole))
            driver.funcSetAttribute(kernel.ptr, driver.CU_FUNC_ATTRIBUTE_PREFERRED_SHARED_MEMORY_CARVEOUT, share)
        return kernels

    def _module(self, code: str) -> Any:
        cuda = self._cupy.cuda
        version = f"{cuda.nvrtc.getVersion()} {self._cupy.__version__}"
        compiler = Compiler(
            str(cuda.Device().compute_capability),
            version,
            lambda text: bytes(cuda.compiler.compile_using_nvrtc(text, OPTIONS)[0]),
        )
        module = cuda.function.Module()
        try:
            module.load(cubin(code, compiler, object_cache("cuda")))
        except cuda.driver.CUDADriverError:  # kept by a driver that knew more
            module.load(cubin(code, compiler, object_cache("cuda"), fresh=True))
        return module

    def array(self, host: np.ndarray) -> Any:
        """A copy of a host array on the device."""
        array = self.empty(host.shape, host.dtype.str[1:])
        self.write(array, host)
        self._stream.synchronize()  # the caller may let go of its own
        return array

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """An array with nothing in it yet. Raises Unsupported with the numbers where memory is short."""
        try:
            with self._cupy.cuda.using_allocator(None):
                return self._cupy.empty(shape, dtype)
        except (self._cupy.cuda.memory.OutOfMemoryError, self._cupy.cuda.runtime.CUDARuntimeError) as error:
            needed = int(np.prod(shape)) * np.dtype(dtype).itemsize
            free, total = self._cupy.cuda.runtime.memGetInfo()
            raise Unsupported(
                f"the GPU is out of memory: {needed:,} bytes needed, {free:,} free of {total:,}"
            ) from error

    def write(self, array: Any, host: np.ndarray) -> None:
        """Copy a host array, as large as the device's or shorter, to its beginning."""
        if host.size:
            with self._stream:
                array.ravel()[: host.size].set(np.ascontiguousarray(host).ravel(), stream=self._stream)

    def read(self, array: Any) -> np.ndarray:
        """Wait for all that was asked for, then copy to the host."""
        with self._stream:
            return array.get(stream=self._stream)

    def launch(self, module: Any, launch: Launch, buffers: Mapping[str, Any]) -> None:
        """Put one kernel on the stream."""
        arguments = tuple(buffers[a] if isinstance(a, str) else np.int32(a) for a in launch.arguments)
        with self._stream:
            module[launch.kernel]((launch.grid,), (launch.block,), arguments, shared_mem=launch.shared)

    def graph(self, module: Any, launches: tuple[Launch, ...], buffers: Mapping[str, Any]) -> Any:
        """Capture launches; the caller keeps the buffers, a graph keeps nothing alive."""
        with self._stream:
            self._stream.begin_capture()
            try:
                for launch in launches:
                    self.launch(module, launch, buffers)
            except BaseException:
                with suppress(self._cupy.cuda.runtime.CUDARuntimeError):
                    self._stream.end_capture()  # else every later call on the stream would fail
                raise
            return self._stream.end_capture()

    def replay(self, graph: Any) -> None:
        """Put a graph on the stream."""
        graph.launch(self._stream)

    def staging(self, size: int) -> np.ndarray:
        """So many bytes of host memory that the device copies from and to while the host goes on."""
        return np.frombuffer(self._cupy.cuda.alloc_pinned_memory(size), np.uint8, size)

    def fetch(self, array: Any, into: np.ndarray) -> None:
        """Put a copy to memory of `staging` on the stream."""
        with self._stream:
            array.get(stream=self._stream, out=into, blocking=False)

    def mark(self) -> Any:
        """Put a mark on the stream, which is reached when all before it is done."""
        event = self._cupy.cuda.Event()
        event.record(self._stream)
        return event

    def wait(self, mark: Any) -> None:
        """Wait until a mark is reached."""
        mark.synchronize()

    def seconds(self, first: Any, last: Any) -> float:
        """The time between two marks that were reached."""
        return float(self._cupy.cuda.get_elapsed_time(first, last)) / 1e3
