"""Windows that slide over a plane: arguments as pairs, and how many places a window has."""

from collections.abc import Sequence

from ops.errors import GeometryError

Pair = tuple[int, int]
IntOrPair = int | Sequence[int]


def pair(name: str, value: IntOrPair, *, least: int = 0) -> Pair:
    """An int or a pair of ints as `(vertical, horizontal)`, both at least `least`.

    Raises GeometryError with the argument's name otherwise.
    """
    both = value if isinstance(value, Sequence) else (value, value)
    if len(both) != 2 or not all(map(_is_int, both)):
        raise GeometryError(f"{name} must be an int or a pair of ints, got {value!r}")
    vertical, horizontal = int(both[0]), int(both[1])
    if vertical < least or horizontal < least:
        raise GeometryError(f"{name} must be >= {least} in both dimensions, got {(vertical, horizontal)}")
    return vertical, horizontal


def conv_output_size(size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair) -> Pair:
    """How many places a kernel has on an `(h, w)` plane: floor((n + 2p - d(k-1) - 1) / s) + 1.

    Raises GeometryError where the dilated kernel is larger than the padded plane.
    """
    places = []
    for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True):
        room = n + 2 * p - d * (k - 1) - 1
        if room < 0:
            raise GeometryError(
                f"kernel_size {kernel} with dilation {dilation} must fit in the padded input "
                f"{(size[0] + 2 * padding[0], size[1] + 2 * padding[1])}"
            )
        places.append(room // s + 1)
    return places[0], places[1]


def pool_output_size(size: Pair, window: Pair, stride: Pair, padding: Pair, ceil_mode: bool) -> Pair:
    """How many places a pooling window has on an `(h, w)` plane.

    With `ceil_mode` a last window that hangs over the far edge by less than a stride counts too, as long
    as it starts on the input or its near padding (the rule of PyTorch and ONNX).
    Raises GeometryError where the window has no place, or where one could lie on nothing but padding.
    (ONNX's rule, which the textbook's examples need; PyTorch wants padding to be half the window at most.)
    """
    places = []
    for n, k, s, p in zip(size, window, stride, padding, strict=True):
        if p >= k:
            raise GeometryError(f"padding must be smaller than size {window} in both dimensions, got {padding}")
        room = n + 2 * p - k
        count = (-(-room // s) if ceil_mode else room // s) + 1
        if ceil_mode and (count - 1) * s >= n + p:
            count -= 1
        if count < 1:
            raise GeometryError(
                f"size {window} must fit in the padded input {(size[0] + 2 * padding[0], size[1] + 2 * padding[1])}"
            )
        places.append(count)
    return places[0], places[1]


def count(name: str, value: int) -> int:
    """An int that is at least 1. Raises GeometryError with the argument's name otherwise."""
    if not _is_int(value) or value < 1:
        raise GeometryError(f"{name} must be an int >= 1, got {value!r}")
    return value


def _is_int(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
