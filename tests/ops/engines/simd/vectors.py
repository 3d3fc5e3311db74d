"""Functions of vectors, applied to many numbers."""

import numpy as np

import ops
from ops.engines.simd.codegen.kernel import Kernel
from ops.engines.simd.program.memory import Memory
from ops.engines.simd.program.plan import Plan
from ops.engines.simd.program.single_kernels import SingleKernels
from ops.network import Network
from ops.step_config import StepConfig

COUNT = 1 << 14


def apply(write, numbers):
    """What a function of vectors makes of the numbers (COUNT,)."""

    def kernel(code):
        with code.loop(0, COUNT, code.lanes) as n:
            code.store(write(code, code.load(n)), n + COUNT)

    plan = Plan(Network("room", (1, 128, 256), (ops.Flatten(), ops.Dense(1))), StepConfig())
    single, memory = Kernel("function", kernel), Memory(plan.layout)
    memory.floats[:COUNT] = numbers
    SingleKernels([single]).call(single, memory)
    return memory.floats[COUNT : 2 * COUNT].copy()


def numbers():
    """Dense near 0 and over the range that matters, thin out to the largest float32."""
    exponents = np.linspace(-37, 38, COUNT // 8)
    parts = [
        np.linspace(-20, 20, COUNT // 4),
        np.linspace(-100, 100, COUNT // 4),
        np.linspace(-1, 1, COUNT // 4),
        10**exponents,
        -(10**exponents),
    ]
    x = np.concatenate(parts).astype(np.float32)
    x[:4] = [0, -0.0, np.inf, -np.inf]
    return x
