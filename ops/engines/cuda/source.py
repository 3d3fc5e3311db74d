"""The network written in CUDA C++: constants, and calls of the layers' templates with its sizes."""

from math import prod
from pathlib import Path

from ops.engines.cuda.layout import fused, layout
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, LeakyReLU, MaxPool2D
from ops.layers.activation import Activation
from ops.network import Network, Slice
from ops.recipe import Recipe

THREADS = 256
"""Threads of every block."""

HERE = Path(__file__).parent


def source(network: Network, recipe: Recipe) -> str:
    """All of the engine's kernels for a network that `check` takes, ready to compile as C++17."""
    writer = _Writer(network)
    parts = (
        _constants(network, recipe),
        (HERE / "layers.cuh").read_text(),
        writer.text(),
        (HERE / "step.cu").read_text(),
    )
    return "\n".join(parts)


def _constants(network: Network, recipe: Recipe) -> str:
    c, h, w = network.input_shape
    place = layout(network)
    # the gradient starts in the first of the two buffers
    numbers = {
        "THREADS": THREADS,
        "IN_C": c,
        "IN_H": h,
        "IN_W": w,
        "CLASSES": network.classes,
        "PARAMETERS": network.size,
        "LOGITS": place.outputs[-1],
        "DLOGITS": place.gradients[0],
        "STASH": place.stash_floats,
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

    def __init__(self, network: Network) -> None:
        self.network = network
        self.layout = layout(network)
        self.slices = {(piece.layer, piece.key): piece for piece in network.table}
        self.first = min(piece.layer for piece in network.table)

    def text(self) -> str:
        leaky = (
            f"LEAKY_RELU(Leaky{index}, {_float(layer.negative_slope)})\n"
            for index, layer in enumerate(self.network.layers)
            if isinstance(layer, LeakyReLU)
        )
        return "".join((*leaky, self._forward(), self._backward(), self._gradient()))

    def _forward(self) -> str:
        lines = []
        for index, layer in enumerate(self.network.layers):
            x, y = (f"m + {at}" for at in self.layout.outputs[index : index + 2])
            if isinstance(layer, Conv2D | Dense):
                after = index + 1
                last = after == len(self.network.layers)
                act = "Identity" if last or not fused(self.network, after) else self._kind(after)
                weights = f"{self._theta(index, 'weight')}, {self._theta(index, 'bias')}"
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
        for index in reversed(range(self.first, len(self.network.layers))):
            layer, x, inner = self.network.layers[index], f"m + {self.layout.outputs[index]}", index > self.first
            g, other, kind, n = f"m + {now}", f"m + {spare}", self._kind(index), self._numbers(index)
            if isinstance(layer, Activation):
                lines.append(f"slope<{kind}, {n}>(m + {self.layout.outputs[index + 1]}, {g});")
                continue
            if isinstance(layer, Dropout):
                lines.append(f"{kind}({g}, {g}, d, {self._drop(layer)});")
                continue
            if isinstance(layer, Flatten):
                continue
            calls = []
            if isinstance(layer, Conv2D):
                start = self.layout.stash[index]
                calls.append(f"{kind}::weights({g}, {x}, stash + {start});")
                if layer.bias:
                    calls.append(f"{kind}::bias({g}, stash + {start + prod(self._piece(index, 'weight').shape)});")
            elif isinstance(layer, Dense):
                start, outputs = self.layout.stash[index], layer.units
                calls.append(f"activate<Identity, {n}>({x}, stash + {start});")
                calls.append(f"activate<Identity, {outputs}>({g}, stash + {start + n});")
            if inner:
                factor = x if isinstance(layer, AvgPool2D | MaxPool2D) else self._theta(index, "weight")
                calls.append(f"{kind}::input({g}, {factor}, {other});")
                now, spare = spare, now
            lines.append(" ".join(calls))
        return _function("__device__ void backward(float* m, const float* theta, float* stash, Draw d)", lines)

    def _gradient(self) -> str:
        lines = []
        for piece in self.network.table:
            layer, start = self.network.layers[piece.layer], self.layout.stash[piece.layer]
            index = f"i - {piece.start}"
            if isinstance(layer, Dense):
                inputs = self.network.shapes[piece.layer][0]
                x, dy = f"stash + {start} + ({index}) % {inputs}", f"stash + {start + inputs} + ({index}) / {inputs}"
                value = (
                    f"products({x}, {dy}, n)"
                    if piece.key == "weight"
                    else f"sums(stash + {start + inputs} + {index}, n)"
                )
            else:
                before = 0 if piece.key == "weight" else prod(self._piece(piece.layer, "weight").shape)
                value = f"sums(stash + {start + before} + {index}, n)"
            lines.append(f"    if (i < {piece.stop}) return {value};\n")
        head = "__device__ inline float gradient(int i, int n, const float* stash)"
        return f"{head} {{\n{''.join(lines)}    return 0.f;\n}}\n"

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

    def _drop(self, layer: Dropout) -> str:
        return f"{min(round(layer.rate * 2**32), 2**32 - 1)}u, {_float(1 / (1 - layer.rate))}"

    def _numbers(self, index: int) -> int:
        return prod(self.network.shapes[index])

    def _piece(self, index: int, key: str) -> Slice:
        return self.slices[index, key]

    def _theta(self, index: int, key: str) -> str:
        return f"theta + {self.slices[index, key].start}" if (index, key) in self.slices else "nullptr"


def _function(head: str, lines: list[str]) -> str:
    """Between two layers the whole block waits: the next one reads what others wrote."""
    return f"{head} {{\n" + "".join(f"    {line}\n    __syncthreads();\n" for line in lines) + "}\n"


def _float(value: float) -> str:
    return f"{float(value)!r}f"


def _listed(*values: object) -> str:
    return ", ".join(map(str, values))
