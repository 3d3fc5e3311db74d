"""cuDNN's graph API, as far as convolutions need it, by way of ctypes.

cuDNN describes an operation by descriptors, each with attributes that are set and then made final. For an operation it
proposes engines, best first by its own model of the GPU, and says of each whether it uses tensor cores and whether it
gives the same bits every time. The choice among them is a function of shapes, GPU and version: nothing is timed.

The numbers are those of cudnn_graph.h, which are part of cuDNN 9's binary interface.
"""

import ctypes
from collections.abc import Iterable, Sequence
from ctypes import CDLL, byref, c_char_p, c_float, c_int, c_int64, c_size_t, c_void_p
from enum import IntEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ops.errors import Unsupported

LEAST_VERSION = 90000


class Kind(IntEnum):
    """Kinds of descriptors."""

    CONVOLUTION = 1
    ENGINE = 2
    ENGINE_CONFIG = 3
    HEURISTICS = 4
    PLAN = 5
    FORWARD = 10
    WEIGHTS_GRADIENT = 11
    DATA_GRADIENT = 12
    GRAPH = 15
    VARIANT_PACK = 16
    TENSOR = 17


class Type(IntEnum):
    """Types of attributes."""

    HANDLE = 0
    DATA_TYPE = 1
    INT64 = 3
    FLOAT = 4
    POINTER = 6
    CONVOLUTION_MODE = 7
    HEURISTIC_MODE = 8
    NUMERICAL_NOTE = 11
    DESCRIPTOR = 15


class Note(IntEnum):
    """What cuDNN says of an engine's numbers."""

    TENSOR_CORE = 0
    DOWN_CONVERT_INPUTS = 1
    REDUCED_PRECISION_REDUCTION = 2
    NONDETERMINISTIC = 4


class Heuristic(IntEnum):
    """How cuDNN proposes engines: by decision trees, by a neural network that knows fewer kinds, or whatever works."""

    TREES = 3
    NETWORK = 1
    FALLBACK = 2


CONV_COMPUTE_TYPE, CONV_MODE, CONV_DILATIONS, CONV_STRIDES = 100, 101, 102, 103
CONV_POST_PADDINGS, CONV_PRE_PADDINGS, CONV_SPATIAL_DIMS = 104, 105, 106
HEURISTICS_MODE, HEURISTICS_GRAPH, HEURISTICS_RESULTS = 200, 201, 202
CONFIG_ENGINE = 300
PLAN_HANDLE, PLAN_CONFIG, PLAN_WORKSPACE = 400, 401, 402
OPERATION = {  # alpha, beta, convolution, w, x, y
    Kind.FORWARD: (700, 701, 702, 703, 704, 705),
    Kind.DATA_GRADIENT: (706, 707, 708, 709, 710, 711),
    Kind.WEIGHTS_GRADIENT: (712, 713, 714, 715, 716, 717),
}
GRAPH_HANDLE, GRAPH_OPERATIONS = 800, 801
TENSOR_ALIGNMENT, TENSOR_TYPE, TENSOR_DIMENSIONS, TENSOR_STRIDES, TENSOR_ID = 900, 901, 902, 903, 906
VARIANT_IDS, VARIANT_POINTERS, VARIANT_WORKSPACE = 1000, 1001, 1003
ENGINE_NOTES = 1303

FLOAT32, CROSS_CORRELATION = 0, 1
MOST_ENGINES = 64

_C_TYPES: dict[Type, Any] = {
    Type.HANDLE: c_void_p,
    Type.DATA_TYPE: c_int,
    Type.INT64: c_int64,
    Type.FLOAT: c_float,
    Type.POINTER: c_void_p,
    Type.CONVOLUTION_MODE: c_int,
    Type.HEURISTIC_MODE: c_int,
    Type.NUMERICAL_NOTE: c_int,
    Type.DESCRIPTOR: c_void_p,
}


def missing() -> str:
    """Why cuDNN can't be used here, in a few words; empty if its library is installed. Loads nothing."""
    return "" if _path() else "cuDNN is not installed (pip install 'atelier-train[cudnn13]' or '[cudnn12]')"


class Library:
    """The shared library. Raises Unsupported where it isn't installed, can't be loaded or is older than version 9."""

    def __init__(self) -> None:
        path = _path()
        if path is None:
            raise Unsupported(missing())
        try:
            self.calls = CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
        except OSError as error:
            raise Unsupported(f"cuDNN can't be loaded: {error}") from error
        self.calls.cudnnGetVersion.restype = c_size_t
        self.calls.cudnnGetErrorString.restype = c_char_p
        self.calls.cudnnGetLastErrorString.argtypes = [c_char_p, c_size_t]
        self.calls.cudnnCreate.argtypes = [c_void_p]
        self.calls.cudnnSetStream.argtypes = [c_void_p, c_void_p]
        self.calls.cudnnBackendCreateDescriptor.argtypes = [c_int, c_void_p]
        self.calls.cudnnBackendDestroyDescriptor.argtypes = [c_void_p]
        self.calls.cudnnBackendFinalize.argtypes = [c_void_p]
        self.calls.cudnnBackendSetAttribute.argtypes = [c_void_p, c_int, c_int, c_int64, c_void_p]
        self.calls.cudnnBackendGetAttribute.argtypes = [c_void_p, c_int, c_int, c_int64, c_void_p, c_void_p]
        self.calls.cudnnBackendExecute.argtypes = [c_void_p, c_void_p, c_void_p]
        self.version = int(self.calls.cudnnGetVersion())
        if self.version < LEAST_VERSION:
            raise Unsupported(f"cuDNN must be of version 9 or later, got {self.version}")

    def check(self, status: int, what: str) -> None:
        """Raises Unsupported with cuDNN's own words unless the status is 0."""
        if status:
            words = ctypes.create_string_buffer(1024)
            self.calls.cudnnGetLastErrorString(words, len(words))
            name = self.calls.cudnnGetErrorString(status).decode()
            raise Unsupported(f"cuDNN could not {what}: {name} {words.value.decode(errors='replace').strip()}".strip())

    def handle(self) -> int:
        """A new handle on the current GPU."""
        handle = c_void_p()
        self.check(self.calls.cudnnCreate(byref(handle)), "make a handle")
        assert handle.value is not None
        return handle.value


class Descriptor:
    """One of cuDNN's descriptors; keeps alive those it refers to."""

    def __init__(self, library: Library, kind: Kind) -> None:
        self._library = library
        self._refers_to: list[Descriptor] = []
        self.pointer = c_void_p()
        status = library.calls.cudnnBackendCreateDescriptor(kind, byref(self.pointer))
        library.check(status, f"make a descriptor of kind {kind.name}")

    def __del__(self) -> None:
        self._library.calls.cudnnBackendDestroyDescriptor(self.pointer)

    def set(self, attribute: int, kind: Type, *values: Any) -> "Descriptor":
        """Give an attribute its values; descriptors and pointers as they are."""
        if kind is Type.DESCRIPTOR:
            self._refers_to += values
            values = tuple(value.pointer.value for value in values)
        array = (_C_TYPES[kind] * len(values))(*values)
        status = self._library.calls.cudnnBackendSetAttribute(self.pointer, attribute, kind, len(values), array)
        self._library.check(status, f"set attribute {attribute}")
        return self

    def final(self) -> "Descriptor":
        """No more attributes."""
        self._library.check(self._library.calls.cudnnBackendFinalize(self.pointer), "accept a descriptor")
        return self

    def numbers(self, attribute: int, kind: Type, most: int) -> list[Any]:
        """The values of an attribute, at most so many."""
        array = (_C_TYPES[kind] * most)()
        return list(array[: self._get(attribute, kind, array)])

    def fill(self, attribute: int, empty: Sequence["Descriptor"]) -> int:
        """Put an attribute that is descriptors into empty ones; how many there were."""
        for descriptor in empty:
            descriptor._refers_to.append(self)
        array = (c_void_p * len(empty))(*(descriptor.pointer.value for descriptor in empty))
        return self._get(attribute, Type.DESCRIPTOR, array)

    def _get(self, attribute: int, kind: Type, array: Any) -> int:
        count = c_int64()
        status = self._library.calls.cudnnBackendGetAttribute(
            self.pointer, attribute, kind, len(array), byref(count), array
        )
        self._library.check(status, f"get attribute {attribute}")
        return count.value


def proposals(library: Library, graph: Descriptor, heuristics: Iterable[Heuristic]) -> Iterable[Descriptor]:
    """Configurations of engines for an operation, the likely fastest first."""
    for heuristic in heuristics:
        query = Descriptor(library, Kind.HEURISTICS)
        query.set(HEURISTICS_GRAPH, Type.DESCRIPTOR, graph).set(HEURISTICS_MODE, Type.HEURISTIC_MODE, heuristic)
        try:
            query.final()
        except Unsupported:  # this one doesn't know such an operation
            continue
        configurations = [Descriptor(library, Kind.ENGINE_CONFIG) for _ in range(MOST_ENGINES)]
        yield from configurations[: query.fill(HEURISTICS_RESULTS, configurations)]


def notes(library: Library, configuration: Descriptor) -> frozenset[int]:
    """What cuDNN says of the numbers of a configuration's engine."""
    engine = Descriptor(library, Kind.ENGINE)
    configuration.fill(CONFIG_ENGINE, [engine])
    return frozenset(engine.numbers(ENGINE_NOTES, Type.NUMERICAL_NOTE, 16))


def _path() -> Path | None:
    """The library in its wheel (nvidia-cudnn-cu12 or -cu13)."""
    try:
        package = find_spec("nvidia.cudnn")
    except ModuleNotFoundError:
        return None
    for folder in (package.submodule_search_locations or []) if package else []:
        for library in sorted(Path(folder, "lib").glob("libcudnn.so.*")):
            return library
    return None
