"""A block as a stage: the layers of its branches are stages too."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ops.arrays import Array, array_module
from ops.backends.cuda.device import Device
from ops.backends.cuda.stage import Parameters, Stage, channels_last
from ops.layers import Block, Concat, Context, Layer, Shape
from ops.layers.block import names_of, nested_position

LowerBranch = Callable[[tuple[Layer, ...], Shape], tuple[Stage, ...]]
"""Makes the stages of a branch, whose positions are those of its layers there."""


@dataclass(frozen=True)
class _Branch:
    """One branch. names: of its layers, as the block has them: `body.conv2d1`."""

    names: tuple[str, ...]
    stages: tuple[Stage, ...]


class BlockStage(Stage):
    """Branches of stages, joined as the block joins them."""

    def __init__(self, device: Device, position: int, layer: Block, shape: Shape, lower: LowerBranch) -> None:
        """Lower the branches.

        Args:
            device: where they run.
            position: the block's in the network.
            layer: the block.
            shape: of one example of its input.
            lower: see `LowerBranch`.
        """
        super().__init__(device, position)
        self.layer = layer
        self.branches = tuple(
            _Branch(tuple(f"{name}.{each}" for each in names_of(layers)), lower(layers, shape))
            for name, layers in layer.branches_by_name().items()
        )

    def forward(self, x: Array, parameters: Parameters, context: Context) -> tuple[Array, Any]:
        outputs, saved = [], []
        for branch in self.branches:
            own, y, kept = _own(parameters[self.position], branch), x, []
            for stage in branch.stages:
                at = nested_position(self.position, branch.names[stage.position])
                y, found = stage.forward(y, own, replace(context, position=at))
                kept.append(found)
            outputs.append(y)
            saved.append(kept)
        return self._joined(outputs), (saved, [y.shape for y in outputs])

    def backward(
        self, dy: Array, saved: Any, parameters: Parameters, gradients: Parameters, *, input_gradient: bool = True
    ) -> Array | None:
        dx: Array | None = None
        turns = zip(self.branches, self._split(dy, saved[1]), saved[0], strict=True)
        for branch, part, kept in reversed(list(turns)):
            own, into = (_own(each[self.position], branch) for each in (parameters, gradients))
            back = _back(branch, part, kept, own, into, input_gradient=input_gradient)
            if back is not None:
                dx = back if dx is None else dx + back
        return dx

    def _joined(self, outputs: list[Array]) -> Array:
        if isinstance(self.layer, Concat):
            return self._concatenated(outputs)
        return channels_last(self.layer.join([_first(y) for y in outputs]))

    def _concatenated(self, outputs: list[Array]) -> Array:
        """All channels, copied one after another: CuPy's own way takes addresses from the host, which no graph can."""
        channels = sum(y.shape[-1] for y in outputs)
        whole, start = self.device.empty((*outputs[0].shape[:-1], channels)), 0
        for y in outputs:
            whole[..., start : start + y.shape[-1]] = y
            start += y.shape[-1]
        return whole

    def _split(self, dy: Array, shapes: list[Shape]) -> list[Array]:
        parts = self.layer.split(_first(dy), [_first_shape(shape) for shape in shapes])
        return [channels_last(part) if part.ndim == 4 else array_module(dy).ascontiguousarray(part) for part in parts]


def _back(
    branch: _Branch, dy: Array, kept: list[Any], own: Parameters, into: Parameters, *, input_gradient: bool
) -> Array | None:
    """A branch's way back; what its stages kept is let go of. Without `input_gradient` it ends where nothing learns."""
    stages = branch.stages
    first = 0
    if not input_gradient:
        first = next((turn for turn, stage in enumerate(stages) if own[stage.position]), len(stages))
    dx: Array | None = dy
    for turn in reversed(range(first, len(stages))):
        assert dx is not None
        wanted = input_gradient or turn > first
        dx = stages[turn].backward(dx, kept[turn], own, into, input_gradient=wanted)
        kept[turn] = None
    return dx if input_gradient else None


def _own(parameters: Mapping[str, Array], branch: _Branch) -> Parameters:
    """For each layer of a branch its parameters and buffers, by their own names."""
    return [
        {key.removeprefix(f"{name}."): value for key, value in parameters.items() if key.startswith(f"{name}.")}
        for name in branch.names
    ]


def _first(x: Array) -> Array:
    """A view of planes (n, h, w, c) as (n, c, h, w); anything else as it is."""
    return x.transpose(0, 3, 1, 2) if x.ndim == 4 else x


def _first_shape(shape: Shape) -> Shape:
    return (shape[0], shape[3], shape[1], shape[2]) if len(shape) == 4 else shape
