"""The network written in CUDA C++: constants, and calls of the layers' templates with its sizes."""

from math import prod
from pathlib import Path

from ops.engines.cuda import tiles
from ops.engines.cuda.layout import TILE, Layout, fused, update_jobs
from ops.engines.cuda.tiles import Kernel, Planes, Tile
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D
from ops.layers.activation import Activation
from ops.network import Network, Slice
from ops.recipe import Recipe

THREADS = 512
"""Threads of a block that takes examples: as many as may have 128 registers each."""

UPDATE_JOBS = 32
UPDATE_THREADS = UPDATE_JOBS * TILE
"""Threads of a block of the update, and how many of `update_jobs` they share: a warp for each part of the batch."""

HERE = Path(__file__).parent


def source(network: Network, recipe: Recipe, place: Layout) -> str:
    """All of the engine's kernels for a network that `check` takes, laid out so, ready to compile as C++17."""
    writer = _Writer(network, place)
    parts = (
        _constants(network, recipe, place),
        (HERE / "layers.cuh").read_text(),
        writer.text(),
        (HERE / "step.cu").read_text(),
    )
    return "\n".join(parts)


def _constants(network: Network, recipe: Recipe, place: Layout) -> str:
    c, h, w = network.input_shape
    # the gradient starts in the first of the two buffers
    numbers = {
        "THREADS": THREADS,
        "TILE": TILE,
        "EXAMPLES": place.examples,
        "FLOATS": place.floats,
        "IN_C": c,
        "IN_H": h,
        "IN_W": w,
        "CLASSES": network.classes,
        "PARAMETERS": network.size,
        "LOGITS": place.outputs[-1],
        "DLOGITS": place.gradients[0],
        "STASH": place.stash_floats,
        "PARTIALS": place.partial_floats,
        "FLIP": int(recipe.flip),
        "SHIFT": recipe.shift,
        "NESTEROV": int(recipe.nesterov),
        "MOMENTUM": _float(recipe.momentum),
        "WEIGHT_DECAY": _float(recipe.weight_decay),
        "SMOOTHING": _float(recipe.label_smoothing),
    }
    return "".join(f"#define {name} {value}\n" for name, value in numbers.items())


class _Writer:
    """Writes the functions that differ from network to network."""

    def __init__(self, network: Network, place: Layout) -> None:
        self.network = network
        self.layout = place
        self.slices = {(piece.layer, piece.key): piece for piece in network.table}
        self.first = min(piece.layer for piece in network.table)

    def text(self) -> str:
        leaky = (
            f"LEAKY_RELU(Leaky{index}, {_float(layer.negative_slope)})\n"
            for index, layer in enumerate(self.network.layers)
            if isinstance(layer, LeakyReLU)
        )
        return "".join((*leaky, self._stage(), self._forward(), self._backward(), self._gradient()))

    def _stage(self) -> str:
        """Copies the filters to where every thread finds them quickly; the caller waits for it."""
        copies = "".join(
            f"    for (int i = threadIdx.x; i < {prod(self._piece(index, 'weight').shape)}; i += THREADS) "
            f"{self._weights(index, 'm')}[i] = theta[{self._piece(index, 'weight').start} + i];\n"
            for index in self.layout.filters
        )
        return f"__device__ inline void stage(float* m, const float* theta) {{\n{copies}}}\n"

    def _forward(self) -> str:
        lines = []
        for index, layer in enumerate(self.network.layers):
            x, y = (f"m + {at}" for at in self.layout.outputs[index : index + 2])
            if isinstance(layer, Conv2D | Dense):
                after = index + 1
                last = after == len(self.network.layers)
                act = "Identity" if last or not fused(self.network, after) else self._kind(after)
                if isinstance(layer, Conv2D):
                    tile = tiles.forward(self._planes(after, layer.groups), _kernel(layer))
                    act = f"{act}, {tile.columns}, {tile.channels}"
                weights = f"{self._weights(index)}, {self._theta(index, 'bias')}"
                lines.append(f"{self._kind(index)}::forward<{act}>({x}, {weights}, {y});")
            elif isinstance(layer, AvgPool2D | MaxPool2D):
                lines.append(f"{self._kind(index)}::forward({x}, {y});")
            elif isinstance(layer, Dropout):
                call = f"{self._kind(index)}({x}, {y}, d, {self._drop(layer)});"
                copy = f"activate<Identity, {self._numbers(index)}>({x}, {y});"
                lines.append(f"if (TRAINING) {call} else {copy}")
            elif isinstance(layer, Activation) and not fused(self.network, index):
                lines.append(f"activate<{self._kind(index)}, {self._numbers(index)}>({x}, {y});")
        return _function(
            "template <bool TRAINING> __device__ void forward(float* m, const float* theta, Draw d)", lines
        )

    def _backward(self) -> str:
        lines = []
        now, spare = self.layout.gradients
        done = len(self.network.layers)
        for index in reversed(range(self.first, len(self.network.layers))):
            layer, x, kind = self.network.layers[index], f"m + {self.layout.outputs[index]}", self._kind(index)
            g, other, n = f"m + {now}", f"m + {spare}", self._numbers(index)
            if isinstance(layer, Flatten) or index >= done:
                continue
            if isinstance(layer, Activation):
                lines.append(f"slope<{kind}, {n}>(m + {self.layout.outputs[index + 1]}, {g});")
                continue
            if isinstance(layer, Dropout):
                lines.append(f"{kind}({g}, {g}, d, {self._drop(layer)});")
                continue
            calls, busy = self._left(index, x, g)
            if index > self.first:
                before = self._activation_before(index)
                act, done = ("Identity", done) if before is None else (self._kind(before), before)
                if isinstance(layer, Conv2D):
                    made, taken = self._planes(index, layer.groups), self._planes(index + 1, layer.groups)
                    tile = tiles.back(made, taken, _kernel(layer), THREADS)
                    act = f"{act}, {_whole(tile)}, {busy}"
                if isinstance(layer, Conv2D | Dense):
                    calls.append(f"{kind}::input<{act}>({g}, {self._weights(index)}, {x}, {other});")
                else:
                    calls.append(f"{kind}::input<{act}>({g}, {x}, {other});")
                now, spare = spare, now
            lines.append(" ".join(calls))
        head = "__device__ void backward(float* m, const float* theta, float* stash, float* partials, Draw d)"
        return _function(head, lines)

    def _left(self, index: int, x: str, g: str) -> tuple[list[str], int]:
        """Calls that leave behind what a layer's gradients are made of, and how many threads they keep busy."""
        layer, kind = self.network.layers[index], self._kind(index)
        if isinstance(layer, Dense):
            to_x, to_g = self.layout.stash[index]
            calls = [
                f"keep<{self._numbers(index)}>({x}, stash + {to_x}, d.here);",
                f"keep<{layer.units}>({g}, stash + {to_g}, d.here);",
            ]
            return calls, 0
        if not isinstance(layer, Conv2D):
            return [], 0
        weight = self._piece(index, "weight")
        tile = tiles.weights(self._planes(index + 1, layer.groups), weight.shape[1], _kernel(layer), THREADS)
        calls, busy = (
            [f"{kind}::weights<{_whole(tile)}, 0>({g}, {x}, partials + {self._partial(weight)}, d.here);"],
            tile.threads,
        )
        if layer.bias:
            start = self._partial(self._piece(index, "bias"))
            calls.append(f"{kind}::bias<{busy}>({g}, partials + {start}, d.here);")
            busy += 32 * layer.channels
        return calls, busy

    def _activation_before(self, index: int) -> int | None:
        """The activation whose output a layer takes as it is, if it is one on the way back."""
        before = index - 1
        while isinstance(self.network.layers[before], Flatten):
            before -= 1
        return before if before >= self.first and isinstance(self.network.layers[before], Activation) else None

    def _gradient(self) -> str:
        """Says which parameters' gradients a job is about; the jobs of all arrays follow one another."""
        lines, first = [], 0
        for piece in self.network.table:
            jobs, job = update_jobs(self.network, piece), f"job - {first}"
            dense = isinstance(self.network.layers[piece.layer], Dense)
            if dense and piece.key == "weight":
                to_x, to_g = self.layout.stash[piece.layer]
                arguments = f"{job}, part, stash + {to_x}, stash + {to_g}, n, {piece.start}, sum, index"
                call = f"{self._kind(piece.layer)}::gradient({arguments})"
            else:
                column = (
                    f"stash + {self.layout.stash[piece.layer][1]}" if dense else f"partials + {self._partial(piece)}"
                )
                rows = (
                    f"rows_sum<STASH>({column} + {job}, part, n)"
                    if dense
                    else f"rows_sum<PARTIALS>({column} + {job}, part, blocks)"
                )
                call = f"index[0] = {piece.start} + {job}, sum[0] = {rows}"
            first += jobs
            lines.append(f"    if (job < {first}) return (void)({call});\n")
        head = (
            "__device__ inline void gradient(int job, int part, int n, const float* stash, const float* partials, "
            "float (&sum)[TILE], int (&index)[TILE])"
        )
        blocks = "    const int blocks = (n + EXAMPLES - 1) / EXAMPLES;\n"
        return f"{head} {{\n{blocks}{''.join(lines)}}}\n"

    def _partial(self, piece: Slice) -> int:
        """Where a block leaves the gradient of one array of a convolution."""
        before = 0 if piece.key == "weight" else prod(self._piece(piece.layer, "weight").shape)
        return self.layout.partials[piece.layer] + before

    def _kind(self, index: int) -> str:
        layer, before, after = self.network.layers[index], self.network.shapes[index], self.network.shapes[index + 1]
        name = type(layer).__name__
        if isinstance(layer, LeakyReLU):
            return f"Leaky{index}"
        if isinstance(layer, Conv2D):
            window = (layer.kernel_size, layer.stride, layer.padding, layer.dilation)
            pairs = [number for both in window for number in both]  # type: ignore[union-attr]  # pairs since __post_init__
            return f"Conv<{_listed(*before, *after, *pairs, layer.groups)}>"
        if isinstance(layer, Dense):
            return f"Dense<{before[0]}, {layer.units}>"
        if isinstance(layer, AvgPool2D | MaxPool2D):
            over = layer.window((before[1], before[2]))
            kind = (
                ("true", "false") if isinstance(layer, MaxPool2D) else ("false", str(layer.count_include_pad).lower())
            )
            sizes = (*before, *after[1:], *over["window"], *over["stride"], *over["padding"])
            return f"Pool<{_listed(*sizes, *kind)}>"
        if isinstance(layer, Dropout):
            return f"dropout<{prod(before)}, {index}>"
        return name

    def _planes(self, index: int, groups: int) -> Planes:
        """The planes before a layer, over all examples of a block."""
        channels, rows, width = self.network.shapes[index]
        return Planes(self.layout.examples * rows, width, channels, channels // groups)

    def _weights(self, index: int, memory: str = "m") -> str:
        """Where a product's weights are: a convolution's in shared memory, if there was room."""
        if index in self.layout.filters:
            return f"({memory} + {self.layout.examples * self.layout.floats + self.layout.filters[index]})"
        return self._theta(index, "weight")

    def _drop(self, layer: Dropout) -> str:
        return f"{min(round(layer.rate * 2**32), 2**32 - 1)}u, {_float(1 / (1 - layer.rate))}"

    def _numbers(self, index: int) -> int:
        return prod(self.network.shapes[index])

    def _piece(self, index: int, key: str) -> Slice:
        return self.slices[index, key]

    def _theta(self, index: int, key: str) -> str:
        return f"theta + {self.slices[index, key].start}" if (index, key) in self.slices else "nullptr"


def _kernel(layer: Conv2D) -> Kernel:
    (tall, wide), (_, stride), (_, dilation) = layer.kernel_size, layer.stride, layer.dilation  # type: ignore[misc]
    return Kernel(tall, wide, stride, dilation)


def _whole(tile: Tile) -> str:
    return f"{tile.columns}, {tile.channels}, {tile.parts}"


def _function(head: str, lines: list[str]) -> str:
    """Between two layers the whole block waits: the next one reads what others wrote."""
    return f"{head} {{\n" + "".join(f"    {line}\n    __syncthreads();\n" for line in lines) + "}\n"


def _float(value: float) -> str:
    return f"{float(value)!r}f"


def _listed(*values: object) -> str:
    return ", ".join(map(str, values))
