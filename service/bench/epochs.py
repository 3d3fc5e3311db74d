"""Epochs of data sets that no memory holds, on fleets that nobody has at hand: reading, from measured costs.

What is added to the rounds of `service.bench.fleet`: a worker reads the chunks that its shards need, on the processor
that takes the steps. A window is cut into a part for each shard, and of a chunk that two parts share both read all. So
parts that are small beside a chunk have it read many times over (`service.rounds.windows`). What is fetched comes
through the worker's network and, for all workers together, through that of the storage.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import process_time

import numpy as np

from service.bench.costs import Costs
from service.bench.fleet import Fleet, forecast
from service.data import describe, read
from service.data.chunked_groups import CHUNK_BYTES
from service.data.resident_images import ResidentImages
from service.data.shards import Layout, ShardedArray, chunk_rows, write_array
from service.home import Home
from service.rounds.plan import WINDOWED_FROM

CHUNKS, TURNS = 16, 8
"""How many chunks are written to measure reading, and how often each is read."""


@dataclass(frozen=True)
class ReadingCosts:
    """What it costs to read examples by chunks.

    Attributes:
        read_s: processor time an example, to have it from a file that is in memory, unpacked and checked.
        image_bytes: of an example.
        packed_bytes: of an example, as it lies in the store.
        chunk: how many examples a chunk has.
    """

    read_s: float
    image_bytes: int
    packed_bytes: float
    chunk: int


@dataclass(frozen=True)
class LargeData:
    """A data set.

    Attributes:
        gigabytes: of its images.
        window: MB that are shuffled together.
        bandwidth: bytes/s that the storage sends, to all workers together.
    """

    gigabytes: float
    window: int = 128
    bandwidth: float = 1.25e9


@dataclass(frozen=True)
class EpochForecast:
    """An epoch, all of whose examples are read.

    Attributes:
        gigabytes: of images.
        workers: how many.
        average_every: steps a round.
        epoch_s: seconds.
        reads: how often an example is read, on average; 0 where all of the data stay in each worker's memory.
        chunk_bytes: what the chunks of a round take in a worker's memory.
        sent_bytes: by the storage.
        worker_hours: of all workers together.
        bottleneck: what the epoch mostly goes to.
    """

    gigabytes: float
    workers: int
    average_every: int
    epoch_s: float
    reads: float
    chunk_bytes: int
    sent_bytes: int
    worker_hours: float
    bottleneck: str


def measure_reading(home: Home, dataset: str) -> ReadingCosts:
    """Cut images of a data set as a large store has them, and read them."""
    info = describe(home.store(dataset))
    images, _ = read(info.path, "train", info.digest)
    rows = chunk_rows(images.shape[1:], CHUNK_BYTES)
    layout = Layout(images[: CHUNKS * rows].shape, rows, CHUNKS)
    with TemporaryDirectory() as folder:
        digests = write_array(images[: CHUNKS * rows], layout, Path(folder), lambda done: None)
        packed = sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())
        resident, seconds = ResidentImages(ShardedArray(Path(folder), layout, digests), CHUNK_BYTES), []
        for _ in range(TURNS):
            began = process_time()
            for chunk in range(layout.chunks):
                with resident.pinned(np.array([chunk * rows], np.int32)):
                    pass
            seconds.append((process_time() - began) / layout.shape[0])
    return ReadingCosts(median(seconds), images[0].nbytes, packed / layout.shape[0], rows)


def forecast_epoch(costs: Costs, reading: ReadingCosts, fleet: Fleet, data: LargeData) -> EpochForecast:
    """An epoch of a fleet on a data set. No worker has anything in its memory from the epoch before."""
    examples = data.gigabytes * 1e9 / reading.image_bytes
    batch = fleet.parts * fleet.examples_a_step
    steps = max(1.0, examples / batch)
    every = max(1, min(fleet.average_every, round(steps)))
    reads, chunk_bytes = 0.0, round(examples * reading.image_bytes)
    if data.gigabytes * 1e9 > WINDOWED_FROM:
        window_steps = max(1, int(data.window * 1e6 / (reading.image_bytes * batch)))
        part = window_steps * fleet.examples_a_step * (fleet.parts if fleet.workers == 1 else 1)
        chunks = 1 + (part - 1) / reading.chunk  # that a part overlaps, wherever it begins
        reads = chunks * reading.chunk / part
        parts = max(1.0, every / window_steps) * (1 if fleet.workers == 1 else fleet.parts / fleet.workers)
        chunk_bytes = round(parts * chunks * reading.chunk * reading.image_bytes)
    own = examples / fleet.workers
    line = min(fleet.bandwidth, data.bandwidth / fleet.workers)
    fetch_s, work_s = reads * reading.packed_bytes / line, costs.step_s + reads * reading.read_s
    told = forecast(replace(costs, step_s=max(work_s, fetch_s)), replace(fleet, average_every=every))
    epoch_s = steps / every * told.round_s
    spent = {
        "steps": own * costs.step_s,
        "reading": own * reads * reading.read_s,
        "the storage" if line < fleet.bandwidth else "a worker's network": own * max(0.0, fetch_s - work_s),
        told.bottleneck: epoch_s - own * max(work_s, fetch_s),
    }
    return EpochForecast(
        gigabytes=data.gigabytes,
        workers=fleet.workers,
        average_every=every,
        epoch_s=epoch_s,
        reads=reads,
        chunk_bytes=chunk_bytes,
        sent_bytes=round(examples * reads * reading.packed_bytes),
        worker_hours=fleet.workers * epoch_s / 3600,
        bottleneck=max(spent, key=lambda name: spent[name]),
    )


def render(reading: ReadingCosts, forecasts: list[EpochForecast]) -> str:
    """The forecasts as a table, under what they were reckoned from."""
    lines = [
        f"reading an example: {1e6 * reading.read_s:.2f} us of a worker, {reading.packed_bytes:.0f} of "
        f"{reading.image_bytes} bytes; a chunk has {reading.chunk:,}",
        "",
        f"{'data':>9}{'workers':>9}{'H':>7}{'an epoch':>11}{'reads':>8}{'chunks':>10}{'sent':>11}{'hours':>9}  mostly",
    ]
    lines += [
        f"{f.gigabytes:>6,.3g} GB{f.workers:>9}{f.average_every:>7}{f.epoch_s:>10,.1f}s{f.reads:>8.2f}"
        f"{f.chunk_bytes / 1e6:>7,.0f} MB{f.sent_bytes / 1e9:>8,.1f} GB{f.worker_hours:>9,.2f}  {f.bottleneck}"
        for f in forecasts
    ]
    return "\n".join(lines)
