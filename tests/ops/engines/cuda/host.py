"""A CPU in a GPU's place: the engine's own sources compiled by g++, its own launches run one by one."""

import ctypes

import numpy as np

from ops.engines.cuda.layout import MOST_SHARED, MOST_SHARED_TENSOR
from tests.ops.engines.cuda.fibers import library

POINTERS = {
    "examples_kernel": "const unsigned char*,const unsigned char*,const int*,const int4*,const unsigned*,const float*,"
    "float*,float*,float*,int*,#,#",
    "update_kernel": "const int4*,const float*,const float*,const float*,const int*,float*,float*,double*,#,#,#,#",
    "begin_kernel": "const int*,const float*,int*,int4*,#,#,#",
    "distances_kernel": "const int*,const float*,const float*,double*,#,#",
    "average_kernel": "const double*,float*,float*,float*,float*,double*,double*,float*,#",
    "lengths_kernel": "const int*,const double*,const double*,double*,#,#,#",
    "sums_kernel": "const int*,const int*,double*,double*,double*,#,#,#",
    "predict_kernel": "const unsigned char*,const float*,float*,#",
}


def entries() -> str:
    """C functions that run a whole grid of a kernel on arguments in an array of 64-bit words."""
    text = []
    for name, types in POINTERS.items():
        arguments = ", ".join(
            f"(int)a[{i}]" if kind == "#" else f"({kind})a[{i}]" for i, kind in enumerate(types.split(","))
        )
        text.append(
            f'extern "C" void run_{name}(unsigned blocks, unsigned threads, unsigned order, '
            f"const long long* a) {{ fibers::grid(blocks, threads, order, [=] {{ {name}({arguments}); }}); }}"
        )
    return "\n".join(text)


class HostDevice:
    """See `ops.engines.cuda.device.Device`. order: 0 for threads and blocks in order, else a shuffle's seed.

    Memory starts as NaN or as a large number, so that what is read before it is written shows.
    """

    def __init__(self, order=0, shared=None, tensor_cores=False):
        self.order = order
        self.shared = shared or (MOST_SHARED_TENSOR if tensor_cores else MOST_SHARED)
        self.tensor_cores = tensor_cores
        self.launched = []

    def compile(self, code, shared):
        return library("\n".join((code.replace("extern __shared__ __align__(16) float memory[];", ""), entries())))

    def array(self, host):
        return np.array(host, order="C")

    def empty(self, shape, dtype):
        array = np.empty(shape, dtype)
        array.fill({"f": np.nan, "u": 200, "i": 10**6}[array.dtype.kind])
        return array

    def write(self, array, host):
        array.ravel()[: host.size] = host.ravel()

    def read(self, array):
        return array.copy()

    def launch(self, module, launch, buffers):
        arguments = [buffers[a].ctypes.data if isinstance(a, str) else a for a in launch.arguments]
        words = (ctypes.c_longlong * len(arguments))(*arguments)
        getattr(module, f"run_{launch.kernel}")(launch.grid, launch.block, self.order, words)
        self.launched.append(launch.kernel)

    def graph(self, module, launches, buffers):
        return lambda: [self.launch(module, launch, buffers) for launch in launches]

    def replay(self, graph):
        graph()

    def staging(self, size):
        return np.full(size, 255, np.uint8)

    def fetch(self, array, into):
        into[:] = array

    def mark(self):
        return len(self.launched)

    def wait(self, mark):
        assert mark <= len(self.launched)

    def seconds(self, first, last):
        return float(last - first)
