"""The engine for GPUs: a step is two kernels of our own, a round a few replays of one CUDA graph.

support     what is taken on
layout      where one example's numbers lie in a block's shared memory
source      the network written as calls of the layers' templates (layers.cuh, step.cu)
plan        kernels, grids, blocks, buffers: a value that needs no GPU
device      CuPy, as far as it is needed; whether a GPU can be used
engine      the engine itself
"""

from ops.engines.cuda.engine import CudaEngine
from ops.engines.cuda.support import check

__all__ = ["CudaEngine", "check"]
