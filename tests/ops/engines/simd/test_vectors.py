"""The kernels' machine code is what it was written to be: whole vectors, products and sums in one instruction.

Instructions are counted, nothing is timed.
"""

import re

import pytest

from ops.engines.simd.host import host
from ops.engines.simd.plan import Plan
from ops.engines.simd.single import SingleKernels
from ops.recipe import Recipe
from ops.zoo import network

pytestmark = pytest.mark.skipif(not host().x86, reason="knows the names of x86's instructions only")

PHASES = ("forward", "loss", "backward", "panel", "clear", "update")
WHOLE = {16: "zmm", 8: "ymm", 4: "xmm"}
SCALAR = re.compile(r"v?(fn?m(add|sub)\d*|add|sub|mul|div|max|min|sqrt)s[sd]\b")
PACKED = re.compile(r"v?(fn?m(add|sub)\d*|mul|add)ps\b")


@pytest.fixture(scope="module", params=["lenet", "lenet-relu"])
def compiled(request):
    plan = Plan(network(request.param, (1, 28, 28), 10), Recipe(momentum=0.9))
    kernels = [kernel for phase in PHASES for kernel in getattr(plan, phase)]
    single = SingleKernels(kernels)
    return {kernel: single.instructions(kernel) for kernel in kernels}


def test_every_kernel_is_there(compiled):
    assert len(compiled) > 25
    assert all(len(instructions) > 5 for instructions in compiled.values())


def test_no_kernel_computes_number_by_number(compiled):
    scalar = {
        kernel.name: found
        for kernel, instructions in compiled.items()
        if (found := [line for line in instructions if SCALAR.match(line)])
    }
    assert not scalar


def test_no_kernel_but_the_one_that_clears_calls_a_function(compiled):
    """LLVM makes `memset` of the loops that clear."""
    callers = [kernel.name for kernel, lines in compiled.items() if any(line.startswith("call") for line in lines)]
    assert set(callers) <= {"clear"}


def test_products_fill_whole_vectors(compiled):
    whole = WHOLE[host().lanes]
    for kernel, instructions in compiled.items():
        if not kernel.flops:
            continue
        products = [line for line in instructions if PACKED.match(line)]
        assert len(products) >= 16, kernel.name
        assert all(whole in line for line in products), kernel.name
        # the rest are loads, stores, addresses and activations
        assert len(products) > len(instructions) / 8, kernel.name


def test_sums_stay_in_registers_while_products_are_added(compiled):
    """A store of a whole vector to the stack for every few products would mean that the tile is too large."""
    for kernel, instructions in compiled.items():
        if kernel.flops:
            products = sum(bool(PACKED.match(line)) for line in instructions)
            spilled = sum("mov" in line and line.endswith("(%rsp)") and "%zmm" in line for line in instructions)
            assert spilled < products / 8, kernel.name
