"""The engine for GPUs: a step is two kernels of our own, a round a few replays of CUDA graphs.

support     what is taken on
layout      where a block's numbers lie in its shared memory, and what it leaves for the update
tiles       how much of a convolution a thread makes, without tensor cores
tensor      which convolutions tensor cores compute, and how warps share them
calls       each layer as calls of its template in layers.cuh
source      the network written in CUDA C++, with the kernels of step.cu
plan        kernels, grids, blocks, buffers: a value that needs no GPU
pairwise    the order of NumPy's sums, in which the averages of rounds are measured
cubin       compiled kernels, kept for the next start
device      CuPy, as far as it is needed; whether a GPU can be used
session     buffers and graphs for rounds of one shape
rounds      rounds one behind the other, averaged on the device
engine      the engine itself
"""

from ops.engines.cuda.engine import CudaEngine
from ops.engines.cuda.support import check

__all__ = ["CudaEngine", "check"]
