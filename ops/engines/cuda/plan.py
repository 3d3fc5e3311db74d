"""What a GPU will be asked to do, as a value: buffers and launches by name. Made and checked without a GPU."""

from dataclasses import dataclass
from math import prod

from ops.averaging import FAN_IN
from ops.engines.cuda.layout import (
    BATCH_PARTS,
    MOST_ROWS,
    SOME_ROWS,
    TILE_INPUTS,
    TILE_OUTPUTS,
    UPDATE_JOBS,
    Layout,
    replica_floats,
    update_jobs,
    weight_tiles,
)
from ops.engines.cuda.pairwise import LANES, leaves, merges
from ops.engines.cuda.tiles import THREADS
from ops.network import Network

CHUNKS = (32, 16, 8, 4, 2, 1)
"""So many steps each graph holds: the steps of a round are replays of these, the longest first."""

PREDICT_BATCH = 4096
"""Images that are sent to the device at a time."""

RULE = 5
"""Numbers in front of the shards' weights in the table `rule`: see average_kernel."""

MOST_SHARDS = FAN_IN**3
"""average_kernel sums in groups of groups of groups."""

BEGIN_THREADS = 128
AVERAGE_THREADS = 256
SUMS_THREADS = 256
SUMS_HELD = 1024
"""Leaves whose sums fit in a block's shared memory: those of networks of up to a hundred thousand parameters."""

ALIGNED = 16
"""Arrays that share one piece of memory begin at multiples of so many bytes."""


@dataclass(frozen=True)
class Buffer:
    """An array in device memory."""

    shape: tuple[int, ...]
    dtype: str

    @property
    def bytes(self) -> int:
        return prod(self.shape) * {"f4": 4, "i4": 4, "u4": 4, "f8": 8, "u1": 1}[self.dtype]


@dataclass(frozen=True)
class Launch:
    """One kernel.

    Attributes:
        kernel: its name.
        grid, block: how many blocks, of how many threads.
        shared: bytes of shared memory of a block.
        arguments: names of buffers, or numbers, which a graph bakes in.
    """

    kernel: str
    grid: int
    block: int
    shared: int
    arguments: tuple[str | int, ...]


@dataclass(frozen=True)
class Plan:
    """The buffers and the launches for rounds of so many shards.

    Attributes:
        shards: how many are computed side by side.
        capacity: how many examples a step of a shard may have.
        steps: how many steps a round may have.
        buffers: arrays that stay on the device. `images` and `labels` are the data set's, and not among them.
        tables: arrays in one piece, which the host fills anew for each round.
        results: arrays in one piece, which the host reads after each round.
        graphs: for each of `CHUNKS`, the launches of so many steps.
        average: the launches that end a round.
    """

    shards: int
    capacity: int
    steps: int
    buffers: dict[str, Buffer]
    tables: dict[str, Buffer]
    results: dict[str, Buffer]
    graphs: dict[int, tuple[Launch, ...]]
    average: tuple[Launch, ...]


def plan(network: Network, place: Layout, shards: int, capacity: int, steps: int) -> Plan:
    """The plan for rounds of `shards` shards, of at most `steps` steps of at most `capacity` examples each."""
    parameters, blocks = network.num_parameters, place.blocks(capacity)
    rows, sums = blocks * place.examples, len(leaves(parameters)) - 1
    levels, pairs = merges(parameters)
    buffers = {
        "theta": Buffer((shards, replica_floats(network)), "f4"),
        "velocity": Buffer((shards, replica_floats(network)), "f4"),
        "start": Buffer((parameters,), "f4"),
        "outer": Buffer((parameters,), "f4"),
        "stash": Buffer((shards * rows, place.stash_floats), "f4"),
        "partials": Buffer((shards * blocks, place.partial_floats), "f4"),
        "losses": Buffer((shards * rows,), "f4"),
        "hits": Buffer((shards * rows,), "i4"),
        "totals": Buffer((shards, 2), "f8"),
        "ahead": Buffer((shards, CHUNKS[0], 4), "i4"),
        "leaves": Buffer((sums + 1,), "i4"),
        "levels": Buffer(levels.shape, "i4"),
        "pairs": Buffer(pairs.shape, "i4"),
        "sums": Buffer((shards + 2, sums), "f8"),
        "means": Buffer((parameters,), "f8"),
        "moves": Buffer((parameters,), "f8"),
    }
    tables = {
        "rule": Buffer((RULE + shards,), "f8"),
        "cursor": Buffer((1,), "i4"),
        "draws": Buffer((shards, 3), "u4"),
        "offsets": Buffer((shards, steps + 1), "i4"),
        "rates": Buffer((shards, steps), "f4"),
        "examples": Buffer((shards * capacity * steps,), "i4"),
    }
    results = {"records": Buffer((shards + 2, 3), "f8"), "result": Buffer((parameters,), "f4")}
    graphs = {
        chunk: (
            Launch("begin_kernel", 1, BEGIN_THREADS, 0, ("offsets", "rates", "cursor", "ahead", shards, steps, chunk)),
            *(launch for k in range(chunk) for launch in _step(network, place, shards, blocks, k)),
        )
        for chunk in CHUNKS
    }
    average = average_launches(parameters, shards, sums, len(levels) - 1)
    return Plan(shards, capacity, steps, buffers, tables, results, graphs, average)


def replays(steps: int) -> list[int]:
    """Which of `CHUNKS` make up so many steps."""
    made: list[int] = []
    for chunk in CHUNKS:
        made += [chunk] * ((steps - sum(made)) // chunk)
    return made


def placed(buffers: dict[str, Buffer]) -> tuple[dict[str, int], int]:
    """Where each of some arrays begins in the one piece of memory that they share, in bytes, and how large it is."""
    starts, end = {}, 0
    for name, buffer in buffers.items():
        starts[name] = end
        end += -(-buffer.bytes // ALIGNED) * ALIGNED
    return starts, end


def predict_launch(place: Layout, count: int) -> Launch:
    """One launch that makes logits of `count` images."""
    names = ("images", "theta", "logits", count)
    return Launch("predict_kernel", place.blocks(count), THREADS, place.bytes, names)


def _step(network: Network, place: Layout, shards: int, blocks: int, k: int) -> tuple[Launch, Launch]:
    jobs = sum(update_jobs(network, piece) for piece in network.table)
    tiles = sum(weight_tiles(network, piece) for piece in network.table)
    updates = tiles + -(-jobs // UPDATE_JOBS) + 1
    left = ("stash", "partials", "losses", "hits")
    forth = ("images", "labels", "examples", "ahead", "draws", "theta", *left, blocks, k)
    rows = min(-(-blocks * place.examples // SOME_ROWS) * SOME_ROWS, MOST_ROWS)
    shared = 4 * max(rows * (TILE_INPUTS + TILE_OUTPUTS), BATCH_PARTS * TILE_INPUTS * TILE_OUTPUTS)
    back = ("ahead", *left, "theta", "velocity", "totals", updates, blocks, rows, k)
    return (
        Launch("examples_kernel", shards * blocks, THREADS, place.bytes, forth),
        Launch("update_kernel", shards * updates, UPDATE_JOBS * BATCH_PARTS, shared, back),
    )


def average_launches(parameters: int, shards: int, sums: int, height: int) -> tuple[Launch, ...]:
    """The kernels of `averaging.cu` that end a round.

    parameters: of a replica. sums: the leaves of a sum over them, which become one in so many levels (`height`).
    """
    blocks = -(-sums * LANES // AVERAGE_THREADS)
    distances = ("leaves", "theta", "start", "sums", blocks, sums)
    average = ("rule", "theta", "velocity", "start", "outer", "means", "moves", "result", shards)
    lengths = ("leaves", "means", "moves", "sums", shards, blocks, sums)
    add = ("levels", "pairs", "sums", "totals", "records", shards, sums, height)
    return (
        Launch("distances_kernel", shards * blocks, AVERAGE_THREADS, 0, distances),
        Launch("average_kernel", -(-parameters // AVERAGE_THREADS), AVERAGE_THREADS, 0, average),
        Launch("lengths_kernel", 2 * blocks, AVERAGE_THREADS, 0, lengths),
        Launch("sums_kernel", shards + 2, SUMS_THREADS, 0, add),
    )
