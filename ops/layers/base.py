"""What a layer is: frozen data that knows its shapes and how to go forward and back."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from ops.arrays import Array
from ops.errors import OpsError, ShapeError
from ops.geometry import Pair

Shape = tuple[int, ...]
"""Sizes of one example, without the batch axis: `(c, h, w)` or `(units,)`."""


@dataclass(frozen=True)
class Context:
    """What a pass knows beside its input.

    Seed, epoch, example and position key every random draw, so that an example meets the same mask wherever, and with
    whatever other examples, it is computed.

    Attributes:
        training: Whether dropout drops, and batch norm takes the statistics of the batch.
        seed: The training's seed.
        epoch: The epoch's number.
        examples: (n,) integers, the examples' numbers in the data set.
        position: The layer's index in the network; `ops.layers.block.nested_position` within a block.
    """

    training: bool = False
    seed: int = 0
    epoch: int = 0
    examples: Array | None = None
    position: int = 0


class Layer(ABC):
    """One step of a network.

    Subclasses are frozen dataclasses under `@register`; `str()` reads like the textbook's. Parameters and buffers are
    handed in by name (`weight`, `bias`, `running_mean`), never held.
    """

    def output_shape(self, input_shape: Shape) -> Shape:
        """The shape of one example after this layer. Raises ShapeError or GeometryError if it doesn't fit."""
        return input_shape

    def parameter_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Names and shapes of what this layer learns, in the order in which they are stored."""
        return {}

    def buffer_shapes(self, input_shape: Shape) -> dict[str, Shape]:
        """Names and shapes of its buffers: what it keeps of the data it saw, without a gradient."""
        return {}

    def initial_values(self) -> dict[str, float]:
        """What parameters and buffers start from that don't start as others do: at zero, and weights at random."""
        return {}

    def bind(self, input_shape: Shape) -> "Layer":
        """This layer with what the input's shape decides filled in (a convolution's input channels)."""
        return self

    def flops(self, input_shape: Shape) -> int:
        """Floating-point operations of the matrix product going forward with one example; the rest counts as none."""
        return 0

    def receptive_field(self, input_shape: Shape) -> tuple[Pair, Pair] | None:
        """`(window, stride)`: what one output sees of the input, and how far apart neighbours look. None: all of it."""
        return (1, 1), (1, 1)

    def __call__(self, x: Array, **parameters: Array) -> Array:
        """The output for a batch `x`, as when predicting: `Conv2D(1, 3)(x, weight=w, bias=b)`, `MaxPool2D(2)(x)`.

        Raises ShapeError where x doesn't fit, or a parameter is missing or not the layer's.
        """
        shape = tuple(x.shape[1:])
        self.output_shape(shape)
        wanted = self.parameter_shapes(shape) | self.buffer_shapes(shape)
        if wanted.keys() != parameters.keys():
            raise ShapeError(f"{self} takes the parameters {list(wanted)}, got {list(parameters)}")
        return self.forward(x, parameters, Context())[0]

    @abstractmethod
    def forward(self, x: Array, parameters: Mapping[str, Array], context: Context) -> tuple[Array, Any]:
        """`(y, saved)`: the output for a batch `x`, and what `backward` needs."""

    @abstractmethod
    def backward(
        self, dy: Array, saved: Any, parameters: Mapping[str, Array], *, input_gradient: bool = True
    ) -> tuple[Array | None, dict[str, Array]]:
        """`(dx, gradients)`: the gradients of the loss for the input and for each parameter.

        `dx` is None where `input_gradient` is False: the first layer's is never needed. In the place of a gradient
        a buffer has the value that it takes after the step.
        """


Kind = TypeVar("Kind", bound=type[Layer])

_KINDS: dict[str, type[Layer]] = {}


def register(layer: Kind) -> Kind:
    """A decorator: the class can be found by its name in lower case, such as `conv2d`.

    Raises OpsError where another module has a layer of that name. The same module may define its own anew, as a
    notebook does when a cell runs again.
    """
    name = layer.__name__.lower()
    present = _KINDS.get(name)
    if present is not None and present.__module__ != layer.__module__:
        raise OpsError(f"layer {name!r} is there already: {present.__module__}.{present.__qualname__}")
    _KINDS[name] = layer
    return layer


def names() -> list[str]:
    """The names of all layers."""
    return sorted(_KINDS)


def find(name: str) -> type[Layer]:
    """The layer of that name. Raises OpsError with those there are."""
    if name not in _KINDS:
        raise OpsError(f"layer must be one of {', '.join(names())}, got {name!r}")
    return _KINDS[name]
