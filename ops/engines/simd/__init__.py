"""The CPU's fast engine: vector code with one example in each lane, made for a network and a processor.

support, engine     what is taken on; the engine: steps and predictions
layout, plan        where numbers lie; which kernels run, in which order
conv, dense, pool, activation, resize, draws, pixels, loss, update      the kernels
alone               those for an example that has no company
code, contraction, numerics, lines, host        what kernels are written with
driver, machine, store      the round compiled by Numba, loaded, and kept for the next start
"""

from ops.engines.simd.engine import SimdEngine
from ops.engines.simd.support import check

__all__ = ["SimdEngine", "check"]
