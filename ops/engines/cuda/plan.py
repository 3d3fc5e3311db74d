"""What a GPU will be asked to do, as a value: buffers and launches by name. Made and checked without a GPU."""

from dataclasses import dataclass
from math import prod

from ops.engines.cuda.calls import THREADS
from ops.engines.cuda.layout import BATCH_PARTS, Layout, update_jobs
from ops.network import Network

CHUNK = 32
"""Steps in one graph. A round is as many replays as it takes; steps past its end have no examples and do nothing."""

UPDATE_JOBS = 32
"""How many of `update_jobs` a block of the update takes, with a warp for each part of the batch."""

PREDICT_BATCH = 4096
"""Images that are sent to the device at a time."""


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
    """One kernel: arguments are names of buffers, or numbers, which a graph bakes in."""

    kernel: str
    grid: int
    block: int
    shared: int
    arguments: tuple[str | int, ...]


@dataclass(frozen=True)
class Plan:
    """The buffers and the launches of a chunk of steps of at most `capacity` examples each.

    `images` and `labels` are the data set's, and not among the buffers; `examples`, `offsets` and `rates` are filled
    anew for each round.
    """

    capacity: int
    buffers: dict[str, Buffer]
    launches: tuple[Launch, ...]


def plan(network: Network, place: Layout, capacity: int, room: int, steps: int) -> Plan:
    """The plan for rounds of at most `steps` steps, `room` examples in all, `capacity` in one step."""
    table = -(-max(steps, 1) // CHUNK) * CHUNK
    buffers = {
        "theta": Buffer((network.num_parameters,), "f4"),
        "velocity": Buffer((network.num_parameters,), "f4"),
        "stash": Buffer((capacity, place.stash_floats), "f4"),
        "partials": Buffer((place.blocks(capacity), place.partial_floats), "f4"),
        "losses": Buffer((capacity,), "f4"),
        "hits": Buffer((capacity,), "i4"),
        "totals": Buffer((2,), "f8"),
        "control": Buffer((4,), "u4"),
        "examples": Buffer((max(room, 1),), "i4"),
        "offsets": Buffer((table + 1,), "i4"),
        "rates": Buffer((table,), "f4"),
    }
    launches: list[Launch] = []
    jobs = sum(update_jobs(network, piece) for piece in network.table)
    update_blocks = -(-jobs // UPDATE_JOBS) + 1
    left = ("stash", "partials", "losses", "hits")
    for k in range(CHUNK):
        names = ("images", "labels", "examples", "offsets", "control", "theta", *left, k)
        launches.append(Launch("examples_kernel", place.blocks(capacity), THREADS, place.bytes, names))
        names = ("offsets", "rates", "control", *left, "theta", "velocity", "totals", k)
        launches.append(Launch("update_kernel", update_blocks, UPDATE_JOBS * BATCH_PARTS, 0, names))
    launches.append(Launch("advance_kernel", 1, 1, 0, ("control", CHUNK)))
    return Plan(capacity, buffers, tuple(launches))


def predict_launch(place: Layout, count: int) -> Launch:
    """One launch that makes logits of `count` images."""
    names = ("images", "theta", "logits", count)
    return Launch("predict_kernel", place.blocks(count), THREADS, place.bytes, names)
