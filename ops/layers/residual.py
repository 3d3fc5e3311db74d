"""The residual block."""

from dataclasses import dataclass

from ops.arrays import Array
from ops.errors import ShapeError
from ops.layers.base import Shape, register
from ops.layers.block import Block, Branch, as_branch, text_of


@register
@dataclass(frozen=True)
class Residual(Block):
    """body(x) + shortcut(x), of one shape; a shortcut without layers is x itself (He et al., 2016).

    Attributes:
        body: What is learned beside the shortcut.
        shortcut: What brings x to the body's shape, such as a 1x1 convolution.
    """

    body: Branch
    shortcut: Branch = ()

    def __post_init__(self) -> None:
        for name in ("body", "shortcut"):
            object.__setattr__(self, name, as_branch(f"Residual's {name}", getattr(self, name)))
        if not self.body:
            raise ShapeError("Residual's body must have at least one layer")

    def __str__(self) -> str:
        shortcut = f", shortcut={text_of(self.shortcut)}" if self.shortcut else ""
        return f"Residual(body={text_of(self.body)}{shortcut})"

    def branches_by_name(self) -> dict[str, Branch]:
        return {"body": self.body, "shortcut": self.shortcut}

    def with_branches(self, branches: dict[str, Branch]) -> "Residual":
        return Residual(**branches)

    def joined_shape(self, shapes: list[Shape]) -> Shape:
        if shapes[0] != shapes[1]:
            raise ShapeError(f"Residual's body and shortcut must put out one shape, got {shapes[0]} and {shapes[1]}")
        return shapes[0]

    def join(self, outputs: list[Array]) -> Array:
        return outputs[0] + outputs[1]

    def split(self, dy: Array, shapes: list[Shape]) -> list[Array]:
        return [dy, dy]
