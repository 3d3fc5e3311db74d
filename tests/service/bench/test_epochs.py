"""Forecasts of reading against what can be reckoned by hand, and against the real plan."""

from dataclasses import replace

import numpy as np
import pytest

from service.bench.epochs import LargeData, ReadingCosts, forecast_epoch, measure_reading
from service.data import ingest
from service.home import Home
from service.rounds.windows import WindowedShuffle, regular_chunks, shares
from tests.data import write_idx_dataset
from tests.service.bench.test_fleet import FREE, IDEAL

READING = ReadingCosts(read_s=2e-6, image_bytes=1000, packed_bytes=500, chunk=1000)
FEW = replace(IDEAL, workers=8)
BOUNDLESS = LargeData(gigabytes=8, window=128, bandwidth=1e18)


def test_data_that_stay_in_memory_are_not_read():
    told = forecast_epoch(FREE, READING, FEW, replace(BOUNDLESS, gigabytes=0.64))
    assert told.epoch_s == pytest.approx(640_000 / 8 * 1e-5)
    assert (told.reads, told.sent_bytes, told.bottleneck) == (0, 0, "steps")


def test_one_worker_reads_each_chunk_about_once_beside_its_steps():
    fleet = replace(IDEAL, workers=1, shards=4)
    told = forecast_epoch(FREE, READING, fleet, BOUNDLESS)
    assert told.reads == pytest.approx(1 + 999 / 128_000, abs=1e-3)
    assert told.epoch_s == pytest.approx(8e6 * (1e-5 + told.reads * 2e-6), rel=1e-3)
    assert told.worker_hours == pytest.approx(told.epoch_s / 3600)
    assert told.sent_bytes == pytest.approx(8e6 * told.reads * 500, rel=1e-6)


@pytest.mark.parametrize("shards", [2, 16, 64])
def test_chunks_are_read_as_often_as_by_the_real_plan(shards: int):
    fleet, data, chunk = replace(IDEAL, workers=shards, examples_a_step=10), LargeData(1.6, window=64), 997
    told = forecast_epoch(FREE, replace(READING, chunk=chunk), fleet, data)
    batch, examples = shards * 10, 1_600_000
    shuffle = WindowedShuffle(0, regular_chunks(examples, chunk), batch, shards, 64_000 // batch)
    read = taken = 0
    for window, (first, last) in enumerate(np.lib.stride_tricks.sliding_window_view(shuffle._edges(), 2)[:5]):
        order = shuffle.window_order(0, window)
        for shard in range(shards):
            lows, counts = shares(range(first, last), batch, examples, shard, shards)
            places = np.concatenate([np.arange(low, low + n) for low, n in zip(lows, counts, strict=True)])
            own = order[places - first * batch]
            read, taken = read + chunk * len(np.unique(own // chunk)), taken + len(own)
    assert told.reads == pytest.approx(read / taken, rel=0.03)


def test_a_storage_that_sends_slowly_decides_how_long_an_epoch_takes():
    told = forecast_epoch(FREE, READING, FEW, replace(BOUNDLESS, bandwidth=1e7))
    assert told.epoch_s == pytest.approx(told.sent_bytes / 1e7, rel=1e-6)
    assert told.bottleneck == "the storage"
    slow = forecast_epoch(FREE, READING, replace(FEW, bandwidth=1e6), BOUNDLESS)
    assert slow.epoch_s == pytest.approx(slow.sent_bytes / 8e6, rel=1e-6)
    assert slow.bottleneck == "a worker's network"


def test_a_larger_window_has_many_workers_read_less():
    many = replace(IDEAL, workers=1000)
    narrow, wide = (forecast_epoch(FREE, READING, many, replace(BOUNDLESS, window=mb)) for mb in (128, 8000))
    assert narrow.reads > 8
    assert wide.reads < 1.2
    assert narrow.sent_bytes > 7 * wide.sent_bytes


def test_reading_is_measured_on_chunks_of_the_store_s_size(home: Home, tmp_path):
    write_idx_dataset(tmp_path / "idx", train=3000)
    ingest(home, dataset="blobs", source=tmp_path / "idx")
    measured = measure_reading(home, "blobs")
    assert (measured.image_bytes, measured.chunk) == (784, (1 << 20) // 784)
    assert 0 < measured.packed_bytes < 900
    assert 0 < measured.read_s < 1e-3
