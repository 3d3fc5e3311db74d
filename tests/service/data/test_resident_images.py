"""Images by chunks, of which as many lie in memory as a budget allows."""

import threading
from pathlib import Path

import numpy as np
import pytest

from service.data import chunked_groups, store
from service.data.resident_images import ResidentImages, usable_memory
from service.data.shards import ShardedArray
from service.data.store import build, open_chunks
from service.errors import DataError
from tests.clusters import until

ROWS, SHAPE = 20, (64, 64)
CHUNK = ROWS * 4096
IMAGES = np.random.default_rng(0).integers(0, 256, (205, *SHAPE), np.uint8)
LABELS = (np.arange(205) % 3).astype(np.uint8)


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ShardedArray:
    """Eleven chunks of twenty images, the last of five."""
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    monkeypatch.setattr(chunked_groups, "CHUNK_BYTES", CHUNK)
    monkeypatch.setattr(chunked_groups, "CHUNKS_PER_SHARD", 4)
    info = build(tmp_path / "a.zarr", "a", ("x", "y", "z"), (IMAGES, LABELS), (IMAGES[:9], LABELS[:9]))
    return open_chunks(info.path, "train", info.digest).images


def numbers(*examples: int) -> np.ndarray:
    return np.array(examples, np.int32)


def test_what_is_pinned_is_there_at_its_own_place(source: ShardedArray):
    images = ResidentImages(source, 3 * CHUNK)
    assert images.array.shape == IMAGES.shape
    for wanted in (numbers(3, 199, 204), numbers(21), numbers(100, 40, 45), numbers(0, 60, 204)):
        with images.pinned(wanted):
            np.testing.assert_array_equal(images.array[wanted], IMAGES[wanted])
        assert images.resident_bytes <= 3 * CHUNK


def test_what_is_given_up_takes_no_memory_and_comes_back(source: ShardedArray):
    images = ResidentImages(source, CHUNK)
    for chunk in range(11):
        with images.pinned(numbers(20 * chunk)):
            pass
    assert images.resident_bytes == CHUNK
    assert not images.array[1:180].any()  # zeros, as untouched memory has them
    with images.pinned(numbers(0)):
        np.testing.assert_array_equal(images.array[:20], IMAGES[:20])


def test_more_than_the_budget_is_pinned_where_steps_need_it(source: ShardedArray):
    images = ResidentImages(source, CHUNK)
    with images.pinned(np.arange(205, dtype=np.int32)):
        np.testing.assert_array_equal(images.array, IMAGES)
    assert images.resident_bytes == CHUNK


def test_a_chunk_is_read_once_for_all_threads_that_want_it(source: ShardedArray, monkeypatch):
    read: list[int] = []
    original = source.read_into
    monkeypatch.setattr(source, "read_into", lambda chunk, rows: (read.append(chunk), original(chunk, rows)))
    images = ResidentImages(source, 11 * CHUNK)
    ready, seen = threading.Barrier(4), []

    def look() -> None:
        ready.wait()
        with images.pinned(np.arange(205, dtype=np.int32)):
            seen.append(np.array_equal(images.array, IMAGES))

    threads = [threading.Thread(target=look) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen == [True] * 4
    assert sorted(read) == list(range(11))


def test_threads_that_go_through_more_than_fits_see_right_images(source: ShardedArray):
    images = ResidentImages(source, 4 * CHUNK)
    wrong: list[int] = []

    def look(seed: int) -> None:
        random = np.random.default_rng(seed)
        for _ in range(40):
            wanted = random.integers(0, 205, 3).astype(np.int32)
            with images.pinned(wanted):
                images.prefetch(lambda: [random.integers(0, 205, 2).astype(np.int32)])
                if not np.array_equal(images.array[wanted], IMAGES[wanted]):
                    wrong.append(seed)

    threads = [threading.Thread(target=look, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_what_comes_next_is_read_ahead_but_not_beyond_the_budget(source: ShardedArray):
    images = ResidentImages(source, 3 * CHUNK)
    with images.pinned(numbers(0)):
        images.prefetch(lambda: [numbers(20, 40, 60, 80)])
        until(lambda: images.resident_bytes == 3 * CHUNK)
        np.testing.assert_array_equal(images.array[20:60], IMAGES[20:60])
    assert images.resident_bytes == 3 * CHUNK


def test_a_damaged_chunk_that_is_read_ahead_is_told_to_whoever_needs_it(source: ShardedArray):
    (source.folder / "c" / "1" / "0" / "0").unlink()
    images, tried = ResidentImages(source, 11 * CHUNK), threading.Event()

    def upcoming():
        try:
            yield numbers(90)
        finally:
            tried.set()

    with images.pinned(numbers(0)):
        images.prefetch(upcoming)
        until(tried.is_set)
    with pytest.raises(DataError, match=r"c/1/0/0 is missing, and with it chunk 4"), images.pinned(numbers(0, 90)):
        pass
    with images.pinned(numbers(0, 204)):  # nobody else is affected
        np.testing.assert_array_equal(images.array[200:], IMAGES[200:])


def test_without_a_budget_a_share_of_the_memory_is_kept(source: ShardedArray):
    images = ResidentImages(source)
    with images.pinned(np.arange(205, dtype=np.int32)):
        pass
    assert images.resident_bytes == 11 * CHUNK  # all of it: the last chunk counts as a whole one
    assert usable_memory() > 1 << 28
