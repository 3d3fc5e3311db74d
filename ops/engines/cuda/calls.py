"""Each layer as calls of its template in layers.cuh, with its sizes written in.

x and y are where a layer's input and output lie, dx and dy where their gradients do.
"""

from math import prod

from ops.engines.cuda import tiles
from ops.engines.cuda.layout import Layout
from ops.engines.cuda.tiles import WARP, Filter, Planes, Tile
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, LeakyReLU, MaxPool2D, ReLU, Sigmoid, Tanh
from ops.network import Network

THREADS = 512
"""Threads of a block that takes examples: as many as may have 128 registers each."""


class Calls:
    """How one layer is called. This base is a layer that does nothing, such as Flatten."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        self.network = network
        self.place = place
        self.index = index
        self.name = ""
        self.before, self.after = network.shapes[index : index + 2]
        self.pieces = {piece.key: piece for piece in network.table if piece.layer == index}

    def forward(self, x: str, y: str, act: str) -> str:
        """act: the activation that is computed along with it, "Identity" for none. Empty where nothing is done."""
        return ""

    def left(self, x: str, dy: str) -> list[str]:
        """Calls that keep what the update needs for the gradients of its parameters."""
        return []

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        """act: the activation before it, whose slope is multiplied in."""
        return ""

    def back_in_place(self, y: str, dy: str) -> str:
        """The gradient going back through a layer that changes each number by itself."""
        return ""

    def array(self, key: str) -> str:
        """Where an array of its parameters lies in device memory."""
        return f"theta + {self.pieces[key].start}" if key in self.pieces else "nullptr"

    def gradient(self, key: str, job: str) -> str:
        """C++ that sets the gradient and the parameter's number for one job, where the job is about this array."""
        raise NotImplementedError  # nobody asks a layer that has no parameters


class ConvCalls(Calls):
    """Conv2D. Its backward passes go side by side, each from the first thread that the one before leaves free."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        layer = network.layers[index]
        assert isinstance(layer, Conv2D)
        self.groups = layer.groups
        self.channels = layer.channels
        window = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
        pairs = [number for both in window for number in both]  # type: ignore[union-attr]  # pairs since __post_init__
        tall, wide, _, stride, _, _, _, dilation = pairs
        self.filter = Filter(tall, wide, stride, dilation)
        self.name = f"Conv<{_listed(*self.before, *self.after, *pairs, layer.groups)}>"

    def forward(self, x: str, y: str, act: str) -> str:
        tile = tiles.forward(self._planes(self.after), self.filter)
        arguments = f"{x}, {self.filters()}, {self.array('bias')}, {y}"
        return f"{self.name}::forward<{act}, {tile.columns}, {tile.channels}>({arguments});"

    def left(self, x: str, dy: str) -> list[str]:
        tile = self._weights_tile()
        arguments = f"{dy}, {x}, partials + {self._partial('weight')}, d.here"
        calls = [f"{self.name}::weights<{_tile_arguments(tile)}, 0>({arguments});"]
        if "bias" in self.pieces:
            calls.append(f"{self.name}::bias<{tile.threads}>({dy}, partials + {self._partial('bias')}, d.here);")
        return calls

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        tile = tiles.back(self._planes(self.before), self._planes(self.after), self.filter, THREADS)
        busy = self._weights_tile().threads + (WARP * self.channels if "bias" in self.pieces else 0)
        return f"{self.name}::input<{act}, {_tile_arguments(tile)}, {busy}>({dy}, {self.filters()}, {x}, {dx});"

    def gradient(self, key: str, job: str) -> str:
        rows = f"rows_sum<PARTIALS>(partials + {self._partial(key)} + {job}, part, blocks)"
        return f"index[0] = {self.pieces[key].start} + {job}, sum[0] = {rows}"

    def filters(self) -> str:
        """Where its weights are: in shared memory, if there was room."""
        if self.index in self.place.filters:
            return f"(m + {self.place.examples * self.place.floats + self.place.filters[self.index]})"
        return self.array("weight")

    def _partial(self, key: str) -> int:
        """Where a block leaves the gradient of one of its arrays."""
        return self.place.partials[self.index] + self.pieces[key].start - self.pieces["weight"].start

    def _weights_tile(self) -> Tile:
        depth = self.before[0] // self.groups
        return tiles.weights(self._planes(self.after), depth, self.filter, THREADS)

    def _planes(self, shape: tuple[int, ...]) -> Planes:
        channels, rows, width = shape
        return Planes(self.place.examples * rows, width, channels, channels // self.groups)


class DenseCalls(Calls):
    """Dense."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        self.name = f"Dense<{self.before[0]}, {self.after[0]}>"

    def forward(self, x: str, y: str, act: str) -> str:
        return f"{self.name}::forward<{act}>({x}, {self.array('weight')}, {self.array('bias')}, {y});"

    def left(self, x: str, dy: str) -> list[str]:
        to_x, to_g = self.place.stash[self.index]
        return [
            f"keep<{self.before[0]}>({x}, stash + {to_x}, d.here);",
            f"keep<{self.after[0]}>({dy}, stash + {to_g}, d.here);",
        ]

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        return f"{self.name}::input<{act}>({dy}, {self.array('weight')}, {x}, {dx});"

    def gradient(self, key: str, job: str) -> str:
        (to_x, to_g), start = self.place.stash[self.index], self.pieces[key].start
        if key == "weight":
            return f"{self.name}::gradient({job}, part, stash + {to_x}, stash + {to_g}, n, {start}, sum, index)"
        return f"index[0] = {start} + {job}, sum[0] = rows_sum<STASH>(stash + {to_g} + {job}, part, n)"


class PoolCalls(Calls):
    """AvgPool2D and MaxPool2D."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        layer = network.layers[index]
        assert isinstance(layer, AvgPool2D | MaxPool2D)
        over = layer.window((self.before[1], self.before[2]))
        kind = ("true", "false") if isinstance(layer, MaxPool2D) else ("false", str(layer.count_include_pad).lower())
        sizes = (*self.before, *self.after[1:], *over["window"], *over["stride"], *over["padding"])
        self.name = f"Pool<{_listed(*sizes, *kind)}>"

    def forward(self, x: str, y: str, act: str) -> str:
        return f"{self.name}::forward({x}, {y});"

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        return f"{self.name}::input<{act}>({dy}, {x}, {dx});"


class ActivationCalls(Calls):
    """An activation, where it isn't computed along with the layer before it."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        layer = network.layers[index]
        self.name = f"Leaky{index}" if isinstance(layer, LeakyReLU) else type(layer).__name__

    def forward(self, x: str, y: str, act: str) -> str:
        return f"activate<{self.name}, {prod(self.before)}>({x}, {y});"

    def back_in_place(self, y: str, dy: str) -> str:
        return f"slope<{self.name}, {prod(self.before)}>({y}, {dy});"


class DropoutCalls(Calls):
    """Dropout."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        layer = network.layers[index]
        assert isinstance(layer, Dropout)
        self.name = f"dropout<{prod(self.before)}, {index}>"
        self.draw = f"d, {min(round(layer.rate * 2**32), 2**32 - 1)}u, {real(1 / (1 - layer.rate))}"

    def forward(self, x: str, y: str, act: str) -> str:
        copy = f"activate<Identity, {prod(self.before)}>({x}, {y});"
        return f"if (TRAINING) {self.name}({x}, {y}, {self.draw}); else {copy}"

    def back_in_place(self, y: str, dy: str) -> str:
        return f"{self.name}({dy}, {dy}, {self.draw});"


KINDS: dict[type[Layer], type[Calls]] = {
    AvgPool2D: PoolCalls,
    Conv2D: ConvCalls,
    Dense: DenseCalls,
    Dropout: DropoutCalls,
    Flatten: Calls,
    LeakyReLU: ActivationCalls,
    MaxPool2D: PoolCalls,
    ReLU: ActivationCalls,
    Sigmoid: ActivationCalls,
    Tanh: ActivationCalls,
}
"""The layers that the engine has kernels for, and what calls them. A subclass of a layer needs kernels of its own."""


def calls(network: Network, place: Layout) -> list[Calls]:
    """The calls of each layer of a network that `check` takes."""
    kinds = [KINDS[type(layer)] for layer in network.layers]
    return [kind(network, place, index) for index, kind in enumerate(kinds)]


def real(value: float) -> str:
    """A float32 number in C++."""
    return f"{float(value)!r}f"


def _tile_arguments(tile: Tile) -> str:
    return f"{tile.columns}, {tile.channels}, {tile.parts}"


def _listed(*values: object) -> str:
    return ", ".join(map(str, values))
