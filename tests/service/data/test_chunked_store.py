"""A store of the large kind: cut into chunks that each have a digest of their own."""

import gzip
import json
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
import zarr

from service.data import chunked_groups, describe, ingest, label_counts, read, store, verify
from service.data.store import DatasetInfo, blocks, build, check_files, identity, open_chunks
from service.errors import Conflict, DataError
from service.home import Home
from tests.data import write_idx_dataset
from tests.service.data.things import NAMES, SHAPE, arrays

TRAIN, TEST = arrays(53, 0), arrays(17, 1)


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of five images and of 16 labels, three to a shard, and no set too small for them."""
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    monkeypatch.setattr(chunked_groups, "CHUNK_BYTES", 5 * 20 + 19)
    monkeypatch.setattr(chunked_groups, "LABELS", 16)
    monkeypatch.setattr(chunked_groups, "CHUNKS_PER_SHARD", 3)


@pytest.fixture
def info(tmp_path: Path) -> DatasetInfo:
    return build(tmp_path / "things.zarr", "things", NAMES, TRAIN, TEST)


def test_a_chunked_store_comes_back_byte_for_byte(info: DatasetInfo):
    assert info.is_chunked
    assert info.chunk == 5
    assert verify(info.path) == info == describe(info.path)
    for group, (images, labels) in (("train", TRAIN), ("test", TEST)):
        stored_images, stored_labels = read(info.path, group, info.digest)
        np.testing.assert_array_equal(stored_images, images)
        np.testing.assert_array_equal(stored_labels, labels)
        parts = list(blocks(info.path, group, info.digest))
        np.testing.assert_array_equal(np.concatenate([part for part, _ in parts]), images)
        np.testing.assert_array_equal(np.concatenate([part for _, part in parts]), labels)
    assert label_counts(info.path, "train") == (18, 18, 17)


def test_zarr_reads_what_was_written_without_it(info: DatasetInfo):
    root = zarr.open_group(info.path, mode="r")
    for group, (images, labels) in (("train", TRAIN), ("test", TEST)):
        np.testing.assert_array_equal(root[f"{group}/images"][...], images)
        np.testing.assert_array_equal(root[f"{group}/labels"][...], labels)
        assert root[f"{group}/images"].chunks == (5, *SHAPE)
        assert root[f"{group}/images"].shards == (15, *SHAPE)
    chunks = [sha256(TRAIN[0][start : start + 5].tobytes()).digest() for start in range(0, 53, 5)]
    assert root["train/image_digests"][...].tobytes() == b"".join(chunks)


def test_what_zarr_wrote_with_the_same_codecs_is_read(info: DatasetInfo):
    array = zarr.open_array(info.path / "train" / "images", mode="r+")
    array[...] = np.asarray(array[...])
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], TRAIN[0])


def test_the_identity_is_known_before_anything_is_written_and_depends_on_everything(info: DatasetInfo):
    assert identity(TRAIN, TEST) == info.digest
    others = [((TRAIN[0] ^ 1, TRAIN[1]), TEST), ((TRAIN[0], TRAIN[1] ^ 1), TEST), (TRAIN, (TEST[0], TEST[1] ^ 1))]
    assert len({info.digest, *(identity(train, test) for train, test in others)}) == 4


def shard(info: DatasetInfo, number: int) -> Path:
    return info.path / "train" / "images" / "c" / str(number) / "0" / "0"


def index(path: Path) -> np.ndarray:
    """Where each chunk of a shard begins, and its length."""
    return np.frombuffer(path.read_bytes()[-52:-4], "<u8").reshape(3, 2)


def spoil_missing(info: DatasetInfo) -> str:
    shard(info, 1).unlink()
    return r"images/c/1/0/0 is missing, and with it chunk 3 \(rows 15 to 19\)"


def spoil_bit(info: DatasetInfo) -> str:
    content = bytearray(shard(info, 1).read_bytes())
    start, length = map(int, index(shard(info, 1))[1])
    content[start + length // 2] ^= 16
    shard(info, 1).write_bytes(content)
    return r"images/c/1/0/0 is damaged in chunk 4 \(rows 20 to 24\)"


def spoil_swapped(info: DatasetInfo) -> str:
    """Both shards are whole, with right checksums: only the digests tell."""
    first, second = shard(info, 0), shard(info, 1)
    first.rename(first.with_name("x"))
    second.rename(first)
    first.with_name("x").rename(second)
    return r"images/c/0/0/0 is damaged in chunk 0 \(rows 0 to 4\): it holds chunk 3 \(rows 15 to 19\)"


def spoil_cut(info: DatasetInfo) -> str:
    content = shard(info, 2).read_bytes()
    shard(info, 2).write_bytes(content[: len(content) // 2])
    return r"images/c/2/0/0 is damaged in chunk 6 .*: the index at the end of the file isn't whole"


def spoil_short(info: DatasetInfo) -> str:
    shard(info, 2).write_bytes(b"x")
    return r"images/c/2/0/0 is damaged in chunk 6 .*: the file is too short"


def spoil_labels(info: DatasetInfo) -> str:
    path = info.path / "train" / "labels" / "c" / "0"
    shutil.copyfile(info.path / "train" / "labels" / "c" / "1", path)
    return r"labels/c/0 is damaged in chunk 0"


def spoil_digests(info: DatasetInfo) -> str:
    path = info.path / "train" / "image_digests" / "c" / "0" / "0"
    path.write_bytes(bytes(len(path.read_bytes())))
    return "the digests of its chunks don't have the digest"


def spoil_digests_missing(info: DatasetInfo) -> str:
    (info.path / "train" / "image_digests" / "c" / "0" / "0").unlink()
    return "image_digests/c/0/0 can't be read"


def spoil_metadata(info: DatasetInfo) -> str:
    path = info.path / "train" / "images" / "zarr.json"
    content = json.loads(path.read_text())
    content["codecs"][0]["configuration"]["codecs"].pop()
    path.write_text(json.dumps(content))
    return "the metadata of .* are damaged: an array is cut or packed in another way"


SPOILT = [
    spoil_missing,
    spoil_bit,
    spoil_swapped,
    spoil_cut,
    spoil_short,
    spoil_labels,
    spoil_digests,
    spoil_digests_missing,
    spoil_metadata,
]


@pytest.mark.parametrize("spoil", SPOILT)
def test_what_is_damaged_missing_or_swapped_is_named_in_one_line(info: DatasetInfo, spoil):
    message = spoil(info)
    for check in (lambda: read(info.path, "train", info.digest), lambda: verify(info.path)):
        with pytest.raises(DataError, match=message) as caught:
            check()
        assert "\n" not in str(caught.value)


def test_other_chunks_than_the_damaged_one_are_read(info: DatasetInfo):
    spoil_bit(info)
    images = open_chunks(info.path, "train", info.digest).images
    for chunk in (3, 5):
        np.testing.assert_array_equal(images.read(chunk), TRAIN[0][5 * chunk : 5 * chunk + 5])
    with pytest.raises(DataError, match="chunk 4"):
        images.read(4)


def test_files_are_missed_without_reading_them(info: DatasetInfo):
    assert check_files(info.path) == info
    shard(info, 1).unlink()
    with pytest.raises(DataError, match=r"c/1/0/0 is missing"):
        check_files(info.path)


def test_a_store_of_other_data_is_not_read_by_chunks(info: DatasetInfo):
    with pytest.raises(DataError, match="not 000000000000 as expected"):
        open_chunks(info.path, "train", replace(info, digest="0" * 64).digest)


def test_a_large_set_is_chunked_and_one_that_is_ingested_again_stays(home: Home, tmp_path: Path):
    write_idx_dataset(tmp_path / "idx", train=123, test=45)
    first = ingest(home, dataset="blobs", source=tmp_path / "idx")
    assert first.is_chunked
    written = (first.path / "zarr.json").stat().st_mtime_ns
    assert ingest(home, dataset="blobs", source=tmp_path / "idx") == first == ingest(home, dataset="blobs")
    assert (first.path / "zarr.json").stat().st_mtime_ns == written
    write_idx_dataset(tmp_path / "other", seed=9)
    with pytest.raises(Conflict, match="other data under this name"):
        ingest(home, dataset="blobs", source=tmp_path / "other")


def test_a_store_of_before_keeps_its_digest_however_large_it_is(home: Home, tmp_path: Path, monkeypatch):
    write_idx_dataset(tmp_path / "idx", train=123, test=45)
    monkeypatch.setattr(store, "CHUNKED_FROM", 1 << 40)
    before = ingest(home, dataset="blobs", source=tmp_path / "idx")
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    assert ingest(home, dataset="blobs", source=tmp_path / "idx") == before
    assert not before.is_chunked


INGEST = """
import sys
from pathlib import Path
from service.data import ingest, shards, store
from service.home import Home

store.CHUNKED_FROM = 0
shards.drop_pages = lambda *_: (print("writing", flush=True), sys.stdin.readline())
ingest(Home(Path(sys.argv[1])), dataset="blobs", source=Path(sys.argv[2]))
"""


def test_what_a_killed_ingestion_left_is_gone_after_the_next(home: Home, tmp_path: Path):
    write_idx_dataset(tmp_path / "idx")
    words = [sys.executable, "-c", INGEST, str(home.root), str(tmp_path / "idx")]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"writing\n"
        process.send_signal(signal.SIGKILL)
    left = [path.name for path in home.data.iterdir()]
    assert len(left) == 1
    assert left[0].startswith(".blobs.zarr-")
    info = ingest(home, dataset="blobs", source=tmp_path / "idx")
    assert verify(info.path) == info
    assert [path.name for path in home.data.iterdir()] == ["blobs.zarr"]
    assert sorted(path.name for path in home.cache.iterdir()) == [".blobs.lock"]


@pytest.mark.parametrize("packed", [False, True])
def test_a_file_larger_than_memory_is_read_in_place(home: Home, tmp_path: Path, monkeypatch, packed: bool):
    for module in ("formats.idx", "buffers"):
        monkeypatch.setattr(f"service.data.{module}.IN_MEMORY", 1000)
    monkeypatch.setattr("service.data.buffers.BLOCK", 5000)
    train, test = write_idx_dataset(tmp_path / "idx", gz=packed)
    info = ingest(home, dataset="blobs", source=tmp_path / "idx")
    for group, (images, labels) in (("train", train), ("test", test)):
        np.testing.assert_array_equal(read(info.path, group, info.digest)[0], images)
        np.testing.assert_array_equal(read(info.path, group, info.digest)[1], labels)


@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_a_file_larger_than_memory_that_ends_too_early_is_told(home: Home, tmp_path: Path, monkeypatch, name: str):
    monkeypatch.setattr("service.data.formats.idx.IN_MEMORY", 100)
    write_idx_dataset(tmp_path / "idx", gz=False)
    path = tmp_path / "idx" / name
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(DataError, match=f"{name} has the wrong length: .* the file has {path.stat().st_size}$"):
        ingest(home, dataset="blobs", source=tmp_path / "idx")


def test_large_arrays_of_numpy_are_unpacked_to_a_file(home: Home, tmp_path: Path, monkeypatch):
    for module in ("formats.npz", "buffers"):
        monkeypatch.setattr(f"service.data.{module}.IN_MEMORY", 100)
    np.savez_compressed(tmp_path / "a.npz", x_train=TRAIN[0], y_train=TRAIN[1], x_test=TEST[0], y_test=TEST[1])
    info = ingest(home, dataset="things", source=tmp_path / "a.npz")
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], TRAIN[0])


def test_a_packed_file_cannot_claim_more_than_it_may_hold(home: Home, tmp_path: Path):
    folder = tmp_path / "idx"
    write_idx_dataset(folder)
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(bytes((0, 0, 8, 3)) + b"\xff" * 12))
    with pytest.raises(DataError, match="has the wrong length"):
        ingest(home, dataset="blobs", source=folder)
