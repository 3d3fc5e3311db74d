"""The three matrix products of a convolution, channels last: x_nhwc, w_orsc, y_npqo, with the axes of `ops.conv`."""

from dataclasses import dataclass
from typing import Literal, Protocol

from ops.arrays import Array
from ops.geometry import Pair, conv_output_size

Product = Literal["forward", "data", "weights"]


@dataclass(frozen=True)
class Convolution:
    """The geometry of a convolution.

    Attributes:
        x_shape: (n, h, w, c).
        w_shape: (o, r, s, c / groups).
        stride, padding, dilation: vertical and horizontal.
    """

    x_shape: tuple[int, ...]
    w_shape: tuple[int, ...]
    stride: Pair
    padding: Pair
    dilation: Pair

    @property
    def y_shape(self) -> tuple[int, ...]:
        """(n, p, q, o)."""
        kernel, plane = (self.w_shape[1], self.w_shape[2]), (self.x_shape[1], self.x_shape[2])
        places = conv_output_size(plane, kernel, self.stride, self.padding, self.dilation)
        return self.x_shape[0], *places, self.w_shape[0]

    def mirrored(self) -> "Convolution | None":
        """The convolution of dy with mirrored filters (c, r, s, o) that gives dx; None where there is no such one.

        With stride 1, dx[h] = sum over r of dy[h + padding - dilation r] w[r].
        """
        (o, r, s, c), groups = self.w_shape, self.x_shape[3] // self.w_shape[3]
        reach = (self.dilation[0] * (r - 1), self.dilation[1] * (s - 1))
        padding = (reach[0] - self.padding[0], reach[1] - self.padding[1])
        if self.stride != (1, 1) or groups != 1 or min(padding) < 0:
            return None
        return Convolution(self.y_shape, (c, r, s, o), (1, 1), padding, self.dilation)


@dataclass(frozen=True)
class Problem:
    """One product of a convolution: everything that the choice of an engine depends on.

    Attributes:
        product: y from x and w, dx ("data") from dy and w, or dw ("weights") from x and dy.
        convolution: its geometry.
        tensor_cores: whether factors may be rounded to TF32.
    """

    product: Product
    convolution: Convolution
    tensor_cores: bool


class Convolver(Protocol):
    """What computes a product of a convolution; of x, w and y it writes the one that is asked for."""

    def convolve(self, product: Product, convolution: Convolution, x: Array, w: Array, y: Array) -> None: ...
