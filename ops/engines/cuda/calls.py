"""Each layer as calls of its template in layers.cuh, with its sizes written in.

x and y are where a layer's input and output lie, dx and dy where their gradients do.
"""

from collections.abc import Sequence
from math import prod

from ops.engines.cuda import tiles
from ops.engines.cuda.layout import Layout
from ops.engines.cuda.tensor import Product
from ops.engines.cuda.tiles import THREADS, WARP, Filter, Planes, Tile
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, LeakyReLU, MaxPool2D, ReLU, Sigmoid, Tanh
from ops.network import Network


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

    def update(self, tile: str) -> str:
        """C++ that updates one tile of the layer's weights."""
        raise NotImplementedError  # nobody asks a layer whose weights don't go by tiles


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
        return f"index = {self.pieces[key].start} + {job}, sum = {rows}"

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


class TensorConvCalls(ConvCalls):
    """Conv2D on tensor cores. Its backward passes go one after another, and wait for themselves."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        self.product: Product = place.products[index]
        layer = network.layers[index]
        assert isinstance(layer, Conv2D)
        pairs = [number for both in (layer.kernel_size, layer.stride, layer.dilation) for number in both]  # type: ignore[union-attr]  # pairs since __post_init__
        pixels = str(index == 0).lower()
        self.name = f"TensorConv<{_listed(*self.product.input_shape, *self.after, *pairs, pixels)}>"
        self.table = f"(int*)(m + {place.tables[index]})"
        self.scratch = f"m + {place.scratch}"

    def stage(self) -> str:
        """Fills its tables; the caller waits for all threads after it."""
        return f"{self.name}::tables({self.table});"

    def forward(self, x: str, y: str, act: str) -> str:
        arguments = f"{x}, {self.filters()}, {self.array('bias')}, {y}, {self.table}"
        return f"{self.name}::forward<{act}>({arguments});"

    def left(self, x: str, dy: str) -> list[str]:
        bias = f"partials + {self._partial('bias')}" if "bias" in self.pieces else "nullptr"
        arguments = f"{dy}, {x}, partials + {self._partial('weight')}, {bias}, {self.table}, {self.scratch}"
        return [f"{self.name}::weights<{self.product.mine}, {self.product.parts}>({arguments});"]

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        arguments = f"{dy}, {self.filters()}, {x}, {dx}, {self.scratch}"
        return f"{self.name}::input<{act}, {self.product.at_once}>({arguments});"


class DenseCalls(Calls):
    """Dense."""

    def __init__(self, network: Network, place: Layout, index: int) -> None:
        super().__init__(network, place, index)
        self.name = f"Dense<{self.before[0]}, {self.after[0]}>"
        self.kept = place.kept if place.kept and place.kept.layer == index else None

    def where_kept(self) -> str:
        """C++ that says where rows of the weights are kept."""
        if self.kept is None:
            return ""
        starts, rows = zip(*self.kept.pieces, strict=True)
        lists = {"first": [sum(rows[:piece]) for piece in range(len(rows))], "start": starts, "rows": rows}
        functions = "".join(
            f"    static __device__ constexpr int {name}(int p) {{ return {_chosen(numbers)}; }}\n"
            for name, numbers in lists.items()
        )
        sizes = f"PIECES = {len(rows)}, ROWS = {sum(rows)}, GRADIENTS = {self.kept.gradients}"
        return f"struct Kept {{\n    static constexpr int {sizes};\n{functions}}};\n"

    def forward(self, x: str, y: str, act: str) -> str:
        arguments = f"{x}, {self.array('weight')}, {self.array('bias')}, {y}, m"
        alone = f"{self.name}::forward<{act}, Nowhere>({arguments});"
        if not self.kept:
            return alone
        kept = f"wait_for_copies(); __syncthreads(); {self.name}::forward<{act}, Kept>({arguments});"
        return f"if (TRAINING) {{ {kept} }} else {alone}"

    def keep_ahead(self) -> str:
        """Begins to copy the rows of weights that are kept."""
        return f"{self.name}::keep_ahead<Kept>({self.array('weight')}, m);" if self.kept else ""

    def left(self, x: str, dy: str) -> list[str]:
        to_x, to_g = self.place.stash[self.index]
        return [
            f"keep<{self.before[0]}>({x}, stash + {to_x}, d.here);",
            f"keep<{self.after[0]}>({dy}, stash + {to_g}, d.here);",
        ]

    def back(self, x: str, dy: str, dx: str, act: str) -> str:
        if self.kept:
            return f"{self.name}::input_kept<{act}, Kept>({dy}, {self.array('weight')}, {x}, {dx}, m);"
        return f"{self.name}::input<{act}>({dy}, {self.array('weight')}, {x}, {dx});"

    def gradient(self, key: str, job: str) -> str:
        to_g, start = self.place.stash[self.index][1], self.pieces[key].start
        return f"index = {start} + {job}, sum = rows_sum<STASH>(stash + {to_g} + {job}, part, n)"

    def update(self, tile: str) -> str:
        to_x, to_g = self.place.stash[self.index]
        arguments = f"stash + {to_x}, stash + {to_g}, n, {self.pieces['weight'].start}, rule, rows, shared"
        return f"{self.name}::update({tile}, {arguments})"


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
    special: dict[int, type[Calls]] = dict.fromkeys(place.products, TensorConvCalls)
    return [special.get(index, kind)(network, place, index) for index, kind in enumerate(kinds)]


def real(value: float) -> str:
    """A float32 number in C++."""
    return f"{float(value)!r}f"


def _tile_arguments(tile: Tile) -> str:
    return f"{tile.columns}, {tile.channels}, {tile.parts}"


def _chosen(numbers: Sequence[int]) -> str:
    """A C++ expression for the number at place p."""
    return "".join(f"p == {place} ? {number} : " for place, number in enumerate(numbers)) + "0"


def _listed(*values: object) -> str:
    return ", ".join(map(str, values))
