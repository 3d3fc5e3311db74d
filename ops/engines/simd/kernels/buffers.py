"""Where the numbers of one layer lie in the engine's memory. All offsets are counted in floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from ops.engines.simd.codegen.code import Code, Offset, Vec
from ops.engines.simd.cpu import cpu
from ops.network import Slice

Epilogue = Callable[[Code, Vec, Offset], None]
"""What happens to a result: given the vector and its offset from the start of its buffer, it is finished and stored."""


def padded(count: int) -> int:
    """`count` rounded up to a multiple of the vector width."""
    lanes = cpu().lanes
    return -(-count // lanes) * lanes


@dataclass(frozen=True)
class Parameter:
    """One parameter inside the engine.

    Attributes:
        piece: Its entry in the network's table.
        start: Its offset from the first parameter.
        rows: How many rows it has; 1 where it is stored as a vector.
        columns: Numbers in a row.
        stride: Floats from row to row, a multiple of the vector width.
    """

    piece: Slice
    start: int
    rows: int
    columns: int
    stride: int

    @property
    def size(self) -> int:
        return padded(self.rows * self.stride)


@dataclass(frozen=True)
class Area:
    """Some vectors, of which each block of a panel may have its own.

    Attributes:
        start: The first block's offset.
        step: How much further the next block's is; 0 where all blocks use the same vectors in turn.
    """

    start: int
    step: int = 0

    def at(self, code: Code) -> Offset:
        """The offset for the current block."""
        return code.slot * self.step + self.start if self.step else self.start


class VectorFunction(Protocol):
    """An elementwise activation on vectors."""

    def value(self, code: Code, x: Vec) -> Vec:
        """f(x)."""

    def slope(self, code: Code, dy: Vec, y: Vec) -> Vec:
        """dy f'(x), from y = f(x)."""


@dataclass(frozen=True)
class Buffers:
    """Where one layer's numbers lie, and which neighbouring activations it takes care of.

    Attributes:
        x: Its input.
        y: Its output.
        dy: The gradient for its output; None in front of the first layer that learns.
        dx: The gradient for its input; None where nobody needs it.
        theta: The first parameter of the network.
        gradient: The gradient for the first parameter of the network.
        parameters: Its own parameters, by name.
        lane_sums: The gradients of its parameters, still separate for each lane, by name.
        transposed: Its transposed parameters, by name.
        workspace: What it asked for in `LayerKernels.block_workspace` and `panel_workspace`, by name.
        activation: The activation behind it that it applies to its own results, if any.
        slope: The activation in front of it whose slope it applies to the gradient that it sends back, if any.
        slope_applied: For an activation: whether the layer behind it applies its slope.
    """

    x: int
    y: int
    dy: Area | None
    dx: Area | None
    theta: int
    gradient: int
    parameters: Mapping[str, Parameter]
    lane_sums: Mapping[str, int]
    transposed: Mapping[str, int]
    workspace: Mapping[str, Area]
    activation: VectorFunction | None
    slope: VectorFunction | None
    slope_applied: bool

    def parameter(self, name: str) -> int:
        """The offset of one of the layer's parameters."""
        return self.theta + self.parameters[name].start

    def bias(self) -> int | None:
        """The offset of its bias, if it has one."""
        return self.parameter("bias") if "bias" in self.parameters else None

    def output_gradient(self) -> Area:
        """`dy`, for kernels of the backward pass."""
        assert self.dy is not None
        return self.dy

    def input_gradient(self) -> Area:
        """`dx`, for kernels that write it."""
        assert self.dx is not None
        return self.dx

    def store_result(self, code: Code, result: Vec, offset: Offset) -> None:
        """The epilogue of a forward kernel: the activation, if it is this layer's to apply, then y."""
        code.store(self.apply_activation(code, result), offset + self.y)

    def apply_activation(self, code: Code, result: Vec) -> Vec:
        """The result after the activation that is this layer's to apply, if any."""
        return self.activation.value(code, result) if self.activation else result

    def store_gradient(self, code: Code, gradient: Vec, offset: Offset) -> None:
        """The epilogue of a backward kernel: the slope, if it is this layer's to apply, then dx."""
        if self.slope:
            gradient = self.slope.slope(code, gradient, code.load(offset + self.x))
        code.store(gradient, offset + self.input_gradient().at(code))


@dataclass(frozen=True)
class StepBuffers:
    """Where the numbers that belong to no layer lie.

    Attributes:
        theta: All parameters.
        velocity: Their momentum buffers.
        gradient: Their gradients.
        count: Floats in each of these three.
        rate: The step's learning rate, in every lane.
        weight: What each example's loss counts: 1 / examples of the step, and 0 in lanes without an example.
        exp_sum: For each example the sum of exp(logit - largest logit).
        target_sum: For each example the sum of its targets: 1, but for class weights.
        target_dot: For each example the sum of target * (logit - largest logit).
        correct: For each example 1 if it is classified right, else 0.
    """

    theta: int
    velocity: int
    gradient: int
    count: int
    rate: int
    weight: int
    exp_sum: int
    target_sum: int
    target_dot: int
    correct: int
