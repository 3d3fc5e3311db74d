"""A CPU in a GPU's place: our kernels compiled by g++, NumPy for what cuDNN and cuBLAS do."""

import ctypes
import re
from contextlib import nullcontext
from functools import cache
from pathlib import Path

import numpy as np

from ops.backends.cuda import launches
from ops.conv import conv2d, conv2d_grad
from tests.ops.engines.cuda.fibers import library

SOURCE = Path(launches.__file__).with_name("kernels.cu")

BITS = """
static unsigned __float_as_uint(float x) { unsigned y; memcpy(&y, &x, 4); return y; }
static float __uint_as_float(unsigned x) { float y; memcpy(&y, &x, 4); return y; }
"""


def parameters(source, kernel):
    """The C types of a kernel's parameters."""
    name = kernel.partition("<")[0]
    text = re.search(rf"\b{name}\(([^)]*)\) *{{", source.replace("WINDOW,", "int a, " * 10)).group(1)
    return [
        one.strip().rpartition(" ")[0] if "*" not in one else one.rpartition("*")[0] + "*" for one in text.split(",")
    ]


def entry(source, kernel, number):
    """A C function that runs a grid of a kernel on arguments in an array of 64-bit words."""
    arguments = []
    for index, kind in enumerate(parameters(source, kernel)):
        word = f"a[{index}]"
        arguments.append(f"__uint_as_float((unsigned){word})" if kind.strip() == "float" else f"({kind}){word}")
    return (
        f'extern "C" void run_{number}(unsigned blocks, unsigned threads, unsigned order, const long long* a) '
        f"{{ fibers::grid(blocks, threads, order, [=] {{ {kernel}({', '.join(arguments)}); }}); }}"
    )


@cache
def functions(source, kernels):
    """For each kernel by its name, what runs a grid of it."""
    entries = (entry(source, kernel, number) for number, kernel in enumerate(kernels))
    made = library("\n".join((BITS, source, *entries)))
    return {kernel: getattr(made, f"run_{number}") for number, kernel in enumerate(kernels)}


class HostDevice:
    """See `ops.backends.cuda.device.Device`.

    tf32: whether factors are rounded. order: 0 for threads and blocks in order, else a shuffle's seed.

    Memory starts as NaN or as a large number, so that what is read before it is written shows.
    """

    def __init__(self, tf32=False, order=0):
        self.tf32 = tf32
        self.order = order
        self.functions = dict(functions(SOURCE.read_text(), launches.KERNELS))
        self.launched = []
        self.products = []

    def empty(self, shape, dtype="f4"):
        array = np.empty(shape, dtype)
        array.fill(np.nan if array.dtype.kind == "f" else 200)
        return array

    def array(self, host):
        return np.array(host, order="C")

    def on(self):
        return nullcontext()

    def recorded(self, action):
        return action

    def host(self, array):
        return np.array(array)

    def add_kernels(self, code, names):
        self.functions |= functions(code, names)

    def launch(self, kernel, blocks, *arguments, threads=launches.THREADS):
        words = []
        for argument in arguments:
            if isinstance(argument, np.ndarray):
                assert argument.flags.c_contiguous
                words.append(argument.ctypes.data)
            elif isinstance(argument, float):
                words.append(int(np.float32(argument).view(np.uint32)))
            else:
                words.append(0 if argument is None else int(argument))
        self.functions[kernel](blocks, threads, self.order, (ctypes.c_longlong * len(words))(*words))
        self.launched.append(kernel)

    def multiply(self, a, b, out, *, a_transposed=False, b_transposed=False):
        assert out.flags.c_contiguous
        out[...] = (a.T if a_transposed else a) @ (b.T if b_transposed else b)

    def convolve(self, product, of, x, w, y):
        """By `ops.conv` in float64, of factors that are rounded as a tensor core would; rounded to float32 once."""
        assert (x.shape, w.shape, y.shape) == (of.x_shape, of.w_shape, of.y_shape)
        self.products.append(product)
        groups = of.x_shape[3] // of.w_shape[3]
        how = {"stride": of.stride, "padding": of.padding, "dilation": of.dilation, "groups": groups}
        x_nchw, w_ocrs, y_nopq = (
            np.ascontiguousarray(one.transpose(0, 3, 1, 2)).astype("f8")
            for one in (tf32(one) if self.tf32 else one for one in (x, w, y))
        )
        if product == "forward":
            out, found = y, conv2d(x_nchw, w_ocrs, **how)
        else:
            zeros = [np.zeros_like(one) if np.isnan(one).any() else one for one in (x_nchw, w_ocrs)]
            dx, dw, _ = conv2d_grad(y_nopq, *zeros, **how)
            out, found = (x, dx) if product == "data" else (w, dw)
        out[...] = found.transpose(0, 2, 3, 1)


def tf32(x):
    """As a tensor core reads float32: without the last 13 bits."""
    return (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32)
