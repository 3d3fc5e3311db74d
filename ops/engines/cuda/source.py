"""The network written in CUDA C++: constants, and functions that call each layer in turn."""

from math import prod
from pathlib import Path

from ops.averaging import FAN_IN
from ops.engines.cuda.calls import ConvCalls, DenseCalls, TensorConvCalls, calls, real
from ops.engines.cuda.layout import (
    BATCH_PARTS,
    TILE_INPUTS,
    TILE_OUTPUTS,
    UPDATE_JOBS,
    Layout,
    fused,
    replica_floats,
    update_jobs,
    weight_tiles,
)
from ops.engines.cuda.pairwise import LANES
from ops.engines.cuda.plan import AVERAGE_THREADS, CHUNKS, RULE, SUMS_HELD, SUMS_THREADS
from ops.engines.cuda.tiles import THREADS
from ops.layers import Dropout, Flatten, LeakyReLU
from ops.layers.activation import Activation
from ops.network import Network
from ops.step_config import StepConfig

HERE = Path(__file__).parent


def source(network: Network, step_config: StepConfig, place: Layout) -> str:
    """All of the engine's kernels for a network that `check` takes, laid out so, ready to compile as C++17."""
    writer = _Writer(network, place)
    leaky = (
        f"LEAKY_RELU(Leaky{index}, {real(layer.negative_slope)})\n"
        for index, layer in enumerate(network.layers)
        if isinstance(layer, LeakyReLU)
    )
    parts = (
        _constants(network, step_config, place),
        (HERE / "layers.cuh").read_text(),
        *([(HERE / "tensor.cuh").read_text()] if place.products else []),
        "".join(
            (
                *leaky,
                writer.kept(),
                writer.stage(),
                writer.forward(),
                writer.backward(),
                writer.gradient(),
                writer.weights(),
            )
        ),
        (HERE / "step.cu").read_text(),
        (HERE / "averaging.cu").read_text(),
    )
    return "\n".join(parts)


def _constants(network: Network, step_config: StepConfig, place: Layout) -> str:
    c, h, w = network.input_shape
    numbers = {
        "THREADS": THREADS,
        "BATCH_PARTS": BATCH_PARTS,
        "UPDATE_THREADS": UPDATE_JOBS * BATCH_PARTS,
        "TILE_OUTPUTS": TILE_OUTPUTS,
        "TILE_INPUTS": TILE_INPUTS,
        "WEIGHT_TILES": sum(weight_tiles(network, piece) for piece in network.table),
        "EXAMPLES": place.examples,
        "FLOATS": place.floats,
        "IN_C": c,
        "IN_H": h,
        "IN_W": w,
        "HALO_Y": place.halo[0],
        "HALO_X": place.halo[1],
        "PITCH": place.pitch,
        "PIXEL": "1.f" if 0 in place.products else "(1.f / 255.f)",
        "CLASSES": network.classes,
        "PARAMETERS": network.num_parameters,
        "REPLICA": replica_floats(network),
        "LOGITS": place.outputs[-1],
        "DLOGITS": place.gradients[0],  # the first of two buffers
        "STASH": place.stash_floats,
        "PARTIALS": place.partial_floats,
        "FLIP": int(step_config.flip),
        "SHIFT": step_config.shift,
        "NESTEROV": int(step_config.nesterov),
        "MOMENTUM": real(step_config.momentum),
        "WEIGHT_DECAY": real(step_config.weight_decay),
        "SMOOTHING": real(step_config.label_smoothing),
        **({"CLASS_WEIGHTS": ", ".join(map(real, step_config.class_weights))} if step_config.class_weights else {}),
        "LONGEST_CHUNK": CHUNKS[0],
        "FAN_IN": FAN_IN,
        "LEAF_LANES": LANES,
        "RULE": RULE,
        "AVERAGE_THREADS": AVERAGE_THREADS,
        "SUMS_THREADS": SUMS_THREADS,
        "SUMS_HELD": SUMS_HELD,
    }
    return "".join(f"#define {name} {value}\n" for name, value in numbers.items())


class _Writer:
    """Writes the functions that differ from network to network. m: a block's shared memory."""

    def __init__(self, network: Network, place: Layout) -> None:
        self._network = network
        self._place = place
        self._calls = calls(network, place)
        self._first = min(piece.layer for piece in network.table)

    def kept(self) -> str:
        """Says where rows of dense weights are kept, and begins to copy them there."""
        layers = [layer for layer in self._calls if isinstance(layer, DenseCalls)]
        where, ahead = ("".join(text) for text in zip(*((d.where_kept(), d.keep_ahead()) for d in layers), strict=True))
        return f"{where}__device__ inline void keep_ahead(float* m, const float* theta) {{ {ahead} }}\n"

    def stage(self) -> str:
        """Copies filters into shared memory and fills tables; the caller waits for all threads after it."""
        staged = [layer for layer in self._calls if isinstance(layer, ConvCalls) and layer.index in self._place.filters]
        copies = "".join(
            f"    copy<{prod(layer.pieces['weight'].shape)}>({layer.array('weight')}, {layer.filters()});\n"
            for layer in staged
        )
        tables = "".join(f"    {layer.stage()}\n" for layer in staged if isinstance(layer, TensorConvCalls))
        return f"__device__ inline void stage(float* m, const float* theta) {{\n{copies}{tables}}}\n"

    def forward(self) -> str:
        lines = []
        for index, layer in enumerate(self._calls):
            if not fused(self._network, index):
                act = self._calls[index + 1].name if fused(self._network, index + 1) else "Identity"
                lines.append(layer.forward(self._output(index), self._output(index + 1), act))
        return _function(
            "template <bool TRAINING> __device__ void forward(float* m, const float* theta, Draw d)", lines
        )

    def backward(self) -> str:
        lines = []
        dy, dx = (f"m + {at}" for at in self._place.gradients)
        taken: set[int | None] = set()
        for index in reversed(range(self._first, len(self._calls))):
            layer, x = self._calls[index], self._output(index)
            if index in taken:
                continue  # its slope went with the layer after it
            if isinstance(self._network.layers[index], Activation | Dropout):
                lines.append(layer.back_in_place(self._output(index + 1), dy))
                continue
            steps = layer.left(x, dy)
            if index > self._first and not isinstance(self._network.layers[index], Flatten):
                steps.append(layer.back(x, dy, dx, self._act_before(index)))
                taken.add(self._activation_before(index))
                dy, dx = dx, dy
            lines.append(" ".join(steps))
        head = "__device__ void backward(float* m, const float* theta, float* stash, float* partials, Draw d)"
        return _function(head, lines)

    def gradient(self) -> str:
        """Says which parameters' gradients a job is about; the jobs of all arrays follow one another."""
        lines, first = [], 0
        for piece in self._network.table:
            if jobs := update_jobs(self._network, piece):
                call = self._calls[piece.layer].gradient(piece.key, f"job - {first}")
                first += jobs
                lines.append(f"    if (job < {first}) return (void)({call});\n")
        head = (
            "__device__ inline void gradient(int job, int part, int n, const float* stash, const float* partials, "
            "float& sum, int& index)"
        )
        blocks = "    const int blocks = (n + EXAMPLES - 1) / EXAMPLES;\n"
        return f"{head} {{\n{blocks}{''.join(lines)}}}\n"

    def weights(self) -> str:
        """Updates one tile of dense weights; the tiles of all layers follow one another."""
        lines, first = [], 0
        for piece in self._network.table:
            if tiles := weight_tiles(self._network, piece):
                call = self._calls[piece.layer].update(f"tile - {first}")
                first += tiles
                lines.append(f"    if (tile < {first}) return {call};\n")
        head = (
            "__device__ inline void update_weights(int tile, int n, const float* stash, Update rule, int rows, "
            "float4* shared)"
        )
        return f"{head} {{\n{''.join(lines)}}}\n"

    def _output(self, index: int) -> str:
        return f"m + {self._place.outputs[index]}"

    def _act_before(self, index: int) -> str:
        before = self._activation_before(index)
        return "Identity" if before is None else self._calls[before].name

    def _activation_before(self, index: int) -> int | None:
        """The activation whose output a layer takes as it is, if it is one on the way back."""
        layers, before = self._network.layers, index - 1
        while isinstance(layers[before], Flatten):
            before -= 1
        return before if before >= self._first and isinstance(layers[before], Activation) else None


def _function(head: str, lines: list[str], first: str = "") -> str:
    """Between two layers the whole block waits: the next one reads what others wrote."""
    steps = "".join(f"    {line}\n    __syncthreads();\n" for line in lines if line)
    return f"{head} {{\n    {first}\n{steps}}}\n"
