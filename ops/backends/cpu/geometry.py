"""A convolution's geometry as its kernels see it, and the register tiles that suit it."""

from __future__ import annotations

from dataclasses import dataclass

from ops.engines.simd.cpu import cpu
from ops.geometry import Pair


@dataclass(frozen=True)
class Geometry:
    """One group of a convolution without padding: the planes are padded before.

    Attributes:
        inputs: Channels of the input.
        outputs: Filters.
        plane: Of the input, (h, w).
        places: Of the output, (p, q).
        kernel: Taps of a filter (r, s).
        stride: Vertical and horizontal.
        dilation: Vertical and horizontal.
    """

    inputs: int
    outputs: int
    plane: Pair
    places: Pair
    kernel: Pair
    stride: Pair
    dilation: Pair

    @property
    def lane_tile(self) -> int:
        """How many vectors of filters a tile takes."""
        vectors = -(-self.outputs // cpu().lanes)
        return 2 if vectors > 1 and cpu().accumulators >= 12 else 1

    @property
    def tiles(self) -> int:
        """How many tiles of filters there are."""
        return -(-self.outputs // self.tile_filters)

    @property
    def tile_filters(self) -> int:
        """Filters in a tile; the last tile may have fewer, and zeros for the rest."""
        return self.lane_tile * cpu().lanes

    @property
    def taps(self) -> int:
        """Products in an output, and weights in a filter."""
        return self.inputs * self.kernel[0] * self.kernel[1]

    @property
    def outputs_of_plane(self) -> int:
        """Places of the output."""
        return self.places[0] * self.places[1]

    @property
    def row_tiles(self) -> list[tuple[int, int, int]]:
        """The output's rows in tiles: `(first row, how many tiles, rows of each)`."""
        return _evenly(self.places[0], self._place_tile[0])

    @property
    def column_tiles(self) -> list[tuple[int, int, int]]:
        """The output's columns in tiles, likewise."""
        return _evenly(self.places[1], self._place_tile[1])

    @property
    def _place_tile(self) -> Pair:
        """How many rows and columns of outputs a tile takes at most: what takes the fewest cycles."""
        most = (cpu().registers - self.lane_tile - 2) // self.lane_tile
        shapes = [
            (rows, columns)
            for rows in range(1, min(self.places[0], most) + 1)
            for columns in range(1, min(self.places[1], most) + 1)
            if rows * columns <= most
        ]
        return min(shapes, key=self._cycles)

    def _cycles(self, tile: Pair) -> tuple[int, int, int]:
        """Half cycles for a tap over all tiles; of equal tiles the largest is best, and of those the flattest."""
        total = 0
        for _, p_count, rows in _evenly(self.places[0], tile[0]):
            for _, q_count, columns in _evenly(self.places[1], tile[1]):
                sums = self.lane_tile * rows * columns
                total += p_count * q_count * max(sums, 8, self.lane_tile + rows * columns + 2)
        return total, -tile[0] * tile[1], tile[0]

    @property
    def channel_tile(self) -> Pair:
        """How many input channels and rows of taps a tile of gradients takes; all taps of a row always."""
        most = max(1, (cpu().registers - self.lane_tile - 3) // (self.lane_tile * self.kernel[1]))
        divisors = [n for n in range(1, self.inputs + 1) if self.inputs % n == 0 and n <= most]
        rows = [n for n in range(1, self.kernel[0] + 1) if self.kernel[0] % n == 0 and n <= most]
        fitting = [(c, r) for c in divisors for r in rows if c * r <= most]
        return max(fitting, key=lambda tile: (tile[0] * tile[1], tile[0])) if fitting else (1, 1)


def _evenly(total: int, most: int) -> list[tuple[int, int, int]]:
    """`total` in tiles of at most so many, as even as can be: `(start, count, size)` for each size."""
    count = -(-total // most)
    size, larger = divmod(total, count)
    found = [(0, larger, size + 1), (larger * (size + 1), count - larger, size)]
    return [tiles for tiles in found if tiles[1]]


@dataclass(frozen=True)
class Window:
    """A convolution's window, with what lies around the planes: `before` the first row and column, and in all.

    Attributes:
        kernel: Taps of a filter (r, s).
        stride: Vertical and horizontal.
        dilation: Vertical and horizontal.
        before: Rows above and columns to the left that are added; taken away where negative.
        padded: Rows and columns of the padded plane.
        groups: How many groups the channels are in.
    """

    kernel: Pair
    stride: Pair
    dilation: Pair
    before: Pair
    padded: Pair
    groups: int

    @property
    def places(self) -> Pair:
        """Rows and columns of the output."""
        down, across = (
            (n - d * (k - 1) - 1) // s + 1
            for n, k, s, d in zip(self.padded, self.kernel, self.stride, self.dilation, strict=True)
        )
        return down, across

    def geometry(self, inputs: int, outputs: int) -> Geometry:
        """For so many input and output channels, over all groups."""
        each = inputs // self.groups, outputs // self.groups
        return Geometry(*each, self.padded, self.places, self.kernel, self.stride, self.dilation)
