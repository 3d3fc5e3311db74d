"""Branches side by side."""

from dataclasses import dataclass

from ops.arrays import Array, array_module
from ops.errors import ShapeError
from ops.layers.base import Shape, register
from ops.layers.block import Block, Branch, as_branch, text_of


@register
@dataclass(frozen=True)
class Concat(Block):
    """The channels of all branches, one after another (Szegedy et al., Going deeper with convolutions, 2015).

    Attributes:
        branches: At least one; one without layers puts out x itself, as a dense block needs it.
    """

    branches: tuple[Branch, ...]

    def __post_init__(self) -> None:
        branches = tuple(as_branch(f"Concat's branch {index}", each) for index, each in enumerate(self.branches))
        object.__setattr__(self, "branches", branches)
        if not branches:
            raise ShapeError("Concat must have at least one branch")

    def __str__(self) -> str:
        return f"Concat({', '.join(map(text_of, self.branches))})"

    def branches_by_name(self) -> dict[str, Branch]:
        return {f"branches.{index}": branch for index, branch in enumerate(self.branches)}

    def with_branches(self, branches: dict[str, Branch]) -> "Concat":
        return Concat(tuple(branches.values()))

    def joined_shape(self, shapes: list[Shape]) -> Shape:
        if len({shape[1:] for shape in shapes}) > 1:
            raise ShapeError(f"Concat's branches must put out planes of one size, got {', '.join(map(str, shapes))}")
        return sum(shape[0] for shape in shapes), *shapes[0][1:]

    def join(self, outputs: list[Array]) -> Array:
        return array_module(outputs[0]).concatenate(outputs, axis=1)

    def split(self, dy: Array, shapes: list[Shape]) -> list[Array]:
        parts, start = [], 0
        for shape in shapes:
            parts.append(dy[:, start : start + shape[1]])
            start += shape[1]
        return parts
