"""The three matrix products of a convolution, channels last, and how their factors reach float32's accuracy.

Axes as in `ops.conv`: x_nhwc, w_orsc, y_nopq stored as (n, p, q, o). A tensor core multiplies factors of 10 bits of
fraction ("TF32") and adds in float32, some seven times as fast as float32 alone. With each factor as the sum of a high
and a low part of such numbers, x = x' + x" and w = w' + w",

    x w = x" w' + x' w" + x' w'        (x" w", 2**-22 of it, is left out)

has float32's accuracy for three products (Ootomo and Yokota, Recovering single precision accuracy from tensor cores
while surpassing the FP32 theoretical peak performance, 2022), in any order that is kept.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal, Protocol

from ops.arrays import Array
from ops.geometry import Pair, conv_output_size

Product = Literal["forward", "data", "weights"]

Parts = tuple[Array, ...]
"""A factor: the array itself, or its high and its low part."""

LEAST_CHANNELS = 4
"""Tensor cores load four numbers at once; with fewer channels a convolution is computed without them."""


class Arithmetic(Enum):
    """How products are computed: in float32, from rounded factors, or from factors in two parts."""

    FLOAT32 = "float32"
    TF32 = "tf32"
    SPLIT = "split"


@dataclass(frozen=True)
class Convolution:
    """The geometry of a convolution: everything that a plan depends on but the kind of product.

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
        kernel, plane = self.w_shape[1:3], self.x_shape[1:3]
        places = conv_output_size(plane, kernel, self.stride, self.padding, self.dilation)  # type: ignore[arg-type]  # pairs
        return self.x_shape[0], *places, self.w_shape[0]


@dataclass(frozen=True)
class Problem:
    """One product of a convolution.

    Attributes:
        product: y from x and w, dx ("data") from dy and w, or dw ("weights") from x and dy.
        convolution: its geometry.
        tensor_cores: whether factors may be rounded to TF32.
        accumulate: whether the result is added to what is there.
    """

    product: Product
    convolution: Convolution
    tensor_cores: bool = False
    accumulate: bool = False


class Convolver(Protocol):
    """What computes a product of a convolution; of x, w and y it writes the one that is asked for."""

    def convolve(self, problem: Problem, x: Array, w: Array, y: Array) -> None: ...


def arithmetic_for(convolution: Convolution, wanted: Arithmetic) -> Arithmetic:
    """How to compute this convolution's products."""
    few = min(convolution.w_shape[3], convolution.w_shape[0]) < LEAST_CHANNELS
    return Arithmetic.FLOAT32 if few else wanted


def compute(
    device: Convolver,
    product: Product,
    convolution: Convolution,
    *,
    rounded: bool,
    left: Parts,
    right: Parts,
    out: Array,
) -> None:
    """Write one product: y from x and w, dx from dy and w, or dw from x and dy, given in this order.

    Factors in two parts take three products, the smallest first.
    """
    problem = Problem(product, convolution, tensor_cores=rounded)
    turns = [(0, 0)] if len(left) == 1 else [(1, 0), (0, 1), (0, 0)]
    for turn, (of_left, of_right) in enumerate(turns):
        arrays = _as_x_w_y(product, left[of_left], right[of_right], out)
        device.convolve(replace(problem, accumulate=turn > 0), *arrays)


def _as_x_w_y(product: Product, left: Array, right: Array, out: Array) -> tuple[Any, Any, Any]:
    if product == "forward":
        return left, right, out
    return (out, right, left) if product == "data" else (left, out, right)
