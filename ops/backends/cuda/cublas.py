"""cuBLAS by way of ctypes: CuPy's own calls are refused while a graph is captured."""

from ctypes import CDLL, byref, c_float, c_int, c_size_t, c_void_p
from typing import Any

from ops.errors import Unsupported

OPERATION_NONE, OPERATION_TRANSPOSED = 0, 1
FLOAT32 = 0
COMPUTE_FLOAT32, COMPUTE_TF32 = 68, 77
DEFAULT_ALGORITHM = -1

WORKSPACE = 32 << 20
"""Bytes; NVIDIA's own size for Hopper. With memory of its own on one stream cuBLAS gives the same bits every time."""


class Cublas:
    """A handle on one stream, with `WORKSPACE` bytes at an address. Raises Unsupported without cuBLAS."""

    def __init__(self, stream: int, workspace: int) -> None:
        from cuda.pathfinder import load_nvidia_dynamic_lib

        try:
            calls = CDLL(load_nvidia_dynamic_lib("cublas").abs_path)
        except (OSError, RuntimeError) as error:
            raise Unsupported(f"cuBLAS can't be loaded: {error}") from error
        self._gemm = calls.cublasGemmEx
        matrix: tuple[Any, ...] = (c_void_p, c_int, c_int)
        self._gemm.argtypes = [c_void_p, *(c_int,) * 5, c_void_p, *matrix, *matrix, c_void_p, *matrix, c_int, c_int]
        self._handle = c_void_p()
        _check(calls.cublasCreate_v2(byref(self._handle)), "make a handle")
        _check(calls.cublasSetStream_v2(self._handle, c_void_p(stream)), "take a stream")
        # after the stream, which would set it back
        status = calls.cublasSetWorkspace_v2(self._handle, c_void_p(workspace), c_size_t(WORKSPACE))
        _check(status, "take a workspace")
        self._one, self._zero = c_float(1), c_float(0)

    def multiply(
        self,
        a: int,
        b: int,
        out: int,
        *,
        shape: tuple[int, int, int],
        transposed: tuple[bool, bool],
        widths: tuple[int, int],
        tf32: bool,
    ) -> None:
        """out = a b, of float32 matrices stored row by row: cuBLAS, which stores columns, is asked for outᵀ = bᵀ aᵀ.

        Args:
            a, b, out: addresses.
            shape: (m, n, k): out is (m, n), and sums have k products.
            transposed: whether a and b are to be transposed first.
            widths: numbers of a row of a and of b as they are stored.
            tf32: whether factors may be rounded to 10 bits of fraction.
        """
        m, n, k = shape
        first, second = (OPERATION_TRANSPOSED if flag else OPERATION_NONE for flag in transposed)
        status = self._gemm(
            *(self._handle, second, first, n, m, k, byref(self._one)),
            *(b, FLOAT32, widths[1], a, FLOAT32, widths[0], byref(self._zero), out, FLOAT32, n),
            *(COMPUTE_TF32 if tf32 else COMPUTE_FLOAT32, DEFAULT_ALGORITHM),
        )
        _check(status, "multiply")


def _check(status: int, what: str) -> None:
    if status:
        raise Unsupported(f"cuBLAS could not {what}: status {status}")
