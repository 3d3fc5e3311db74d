"""The CPU's fast engine: vector code with one example in each lane, generated for a network and a processor.

engine, support         steps and predictions; which networks are supported
codegen/                what kernels are written with
kernels/                the kernels: a class for each kind of layer
program/                from kernels to a program: plan, memory layout, step loop, compiler
machine_code, cache_key         compiled programs, kept for the next start
cpu                     what the processor offers

A block is as many examples as a vector has lanes. A panel is a few blocks, whose gradients of dense weights are taken
together. A kernel is one pass of one layer over a block.
"""

from ops.engines.simd.engine import SimdEngine
from ops.engines.simd.support import check

__all__ = ["SimdEngine", "check"]
