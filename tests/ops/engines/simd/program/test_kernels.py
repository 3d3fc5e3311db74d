"""The kernels' machine code is what it was written to be: whole vectors, products and sums in one instruction.

Instructions are counted, nothing is timed.
"""

import re

import pytest

from ops.engines.simd.cpu import cpu
from ops.engines.simd.program.plan import Plan
from ops.engines.simd.program.single_kernels import SingleKernels
from ops.step_config import StepConfig
from ops.zoo import network
from tests.ops.engines.simd.conftest import AVX2

pytestmark = pytest.mark.skipif(not cpu().x86, reason="knows the names of x86's instructions only")

PHASES = ("forward", "single_example", "loss", "backward", "panel", "clear", "update")
WHOLE = {16: "zmm", 8: "ymm", 4: "xmm"}
SCALAR = re.compile(r"v?(fn?m(add|sub)\d*|add|sub|mul|div|max|min|sqrt)s[sd]\b")
PACKED = re.compile(r"v?(fn?m(add|sub)\d*|mul|add)ps\b")


STACK = re.compile(r"\(%r[sb]p\b")
UNALIGNED = re.compile(r"v?mov(up[sd]|dqu\d*)\b")


@pytest.fixture
def compiled(request, pretend):
    name, narrow = request.param
    if narrow:
        pretend("haswell", AVX2)
    plan = Plan(network(name, (1, 28, 28), 10), StepConfig(momentum=0.9))
    kernels = [kernel for phase in PHASES for kernel in getattr(plan, phase)]
    single = SingleKernels(kernels)
    return {kernel: single.instructions(kernel) for kernel in kernels}


@pytest.mark.parametrize("compiled", [("lenet", False), ("lenet-relu", False), ("lenet", True)], ids=str, indirect=True)
def test_kernels_are_whole_vectors_of_products_and_sums(compiled):
    whole = WHOLE[cpu().lanes]
    assert len(compiled) > 25
    for kernel, instructions in compiled.items():
        assert len(instructions) > 5, kernel.name
        if kernel.lanes == 1:
            continue  # an example by itself is pooled number by number
        assert not [line for line in instructions if SCALAR.match(line)], kernel.name
        # LLVM makes `memset` of the loops that clear
        assert kernel.name == "clear" or not [line for line in instructions if line.startswith("call")], kernel.name
        if not kernel.flops:
            continue
        products = [line for line in instructions if PACKED.match(line)]
        assert len(products) >= 16, kernel.name
        assert all(whole in line for line in products), kernel.name
        # the rest are loads, stores, addresses and activations
        assert len(products) > len(instructions) / 8, kernel.name
        if kernel.flops < 10_000 or cpu().registers < 32:
            continue  # small, or with so few registers that LLVM keeps some of the factors on the stack
        # a sum that goes to the stack for every few products would mean that the tile is too large
        spilled = [line for line in instructions if "mov" in line and line.endswith("(%rsp)") and f"%{whole}" in line]
        assert len(spilled) < len(products) / 8, kernel.name


@pytest.mark.parametrize("compiled", [("lenet", False), ("lenet", True)], ids=str, indirect=True)
def test_vectors_on_the_stack_do_not_cross_cache_lines(compiled):
    on_stack = [
        line
        for instructions in compiled.values()
        for line in instructions
        if "mov" in line and STACK.search(line) and f"%{WHOLE[cpu().lanes]}" in line
    ]
    assert len(on_stack) > 5
    assert not [line for line in on_stack if UNALIGNED.match(line)]
