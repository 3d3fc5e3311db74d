"""Data sets in a bucket: published whole, read by parts, replaced and removed while others write and read."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import numpy as np
import obstore.store
import pytest
import zarr
from zarr.storage import ObjectStore

from service.data import DatasetInfo, chunked_groups, describe, generations, ingest, label_counts, read, store, verify
from service.data import whole_arrays as whole
from service.data.inventory import all_stores, class_counts, delete_store, find_store, is_there, stored_bytes
from service.data.resident_images import ResidentImages
from service.data.store import blocks, check_files, open_chunks, read_about, why_unreadable
from service.errors import AtelierError, Conflict, DataError, InvalidInput, NotFound, StorageError
from service.home import Home
from service.storage import Address, Bucket
from tests.data import write_idx_dataset
from tests.object_storage import new_bucket, trouble

INGEST = """
import sys
from pathlib import Path
from service.data import ingest
from service.home import Home

ingest(Home(Path(sys.argv[1]), data_elsewhere=sys.argv[2]), dataset="blobs", source=Path(sys.argv[3]))
"""
KINDS = ("whole", "chunked")
FILES = 11
"""Of a store whose arrays are a chunk each, as that process writes it: four, and metadata of all."""


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of seven images and of 16 labels, three to a shard, or of ten images each for itself."""
    monkeypatch.setattr(chunked_groups, "CHUNK_BYTES", 7 * 20)
    monkeypatch.setattr(chunked_groups, "LABELS", 16)
    monkeypatch.setattr(chunked_groups, "CHUNKS_PER_SHARD", 3)
    monkeypatch.setattr(whole, "CHUNK", 10)


@pytest.fixture
def home(object_storage: str, tmp_path: Path) -> Home:
    """A home whose data lie in a bucket of its own."""
    home = Home(tmp_path / "home", data_elsewhere=new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}", "data"))
    home.prepare()
    return home


@pytest.fixture
def source(tmp_path: Path) -> Path:
    write_idx_dataset(tmp_path / "idx", train=53, test=17, shape=(4, 5), classes=3)
    return tmp_path / "idx"


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setattr(store, "CHUNKED_FROM", 0 if request.param == "chunked" else 1 << 40)
    return str(request.param)


@pytest.fixture
def info(home: Home, source: Path, kind: str) -> DatasetInfo:
    return ingest(home, dataset="blobs", source=source)


def name_of(home: Home) -> Address:
    place = home.store("blobs")
    assert isinstance(place, Address)
    return place


def stores_of(home: Home) -> set[str]:
    """The generations that have any object."""
    return {key.partition("/")[0] for key in Bucket(name_of(home)).sizes() if "/" in key}


def test_a_bucket_holds_what_a_folder_does(info: DatasetInfo, home: Home, source: Path, tmp_path: Path, kind: str):
    local = ingest(Home(tmp_path / "local"), dataset="blobs", source=source)
    assert (info.digest, info.is_chunked) == (local.digest, kind == "chunked")
    assert describe(home.store("blobs")) == describe(info.path) == verify(info.path) == info
    for group in ("train", "test"):
        for ours, theirs in zip(
            read(info.path, group, info.digest), read(local.path, group, local.digest), strict=True
        ):
            np.testing.assert_array_equal(ours, theirs)
        parts = [images for images, _ in blocks(info.path, group, info.digest)]
        np.testing.assert_array_equal(np.concatenate(parts), read(local.path, group, local.digest)[0])
        assert label_counts(info.path, group) == label_counts(local.path, group)
    assert read_about(info.path) == read_about(local.path)


def test_zarr_reads_a_store_in_a_bucket(info: DatasetInfo, object_storage: str):
    assert isinstance(info.path, Address)
    bucket = obstore.store.S3Store(info.path.bucket, prefix=info.path.prefix, client_options={"allow_http": True})
    root = zarr.open_group(ObjectStore(bucket, read_only=True), mode="r")
    for group in ("train", "test"):
        images, labels = read(info.path, group, info.digest)
        np.testing.assert_array_equal(root[f"{group}/images"][...], images)
        np.testing.assert_array_equal(root[f"{group}/labels"][...], labels)


def change(info: DatasetInfo, key: str, content: bytes | None) -> None:
    assert isinstance(info.path, Address)
    Bucket(info.path).remove(key) if content is None else Bucket(info.path).put(key, content)


def content_of(info: DatasetInfo, key: str) -> bytes:
    assert isinstance(info.path, Address)
    return Bucket(info.path).read(key)


def flipped(content: bytes) -> bytes:
    return content[:30] + bytes([content[30] ^ 16]) + content[31:]


SPOILT: list[tuple[str, str, Callable[[bytes, bytes], bytes | None], str]] = [
    ("chunked", "train/images/c/1/0/0", lambda own, other: None, r"is missing, and with it chunk 3 \(rows 21 to 27\)"),
    (
        "chunked",
        "train/images/c/1/0/0",
        lambda own, other: other,
        r"damaged in chunk 3 \(rows 21 to 27\): it holds chunk 0",
    ),
    ("chunked", "train/images/c/1/0/0", lambda own, other: flipped(own), r"damaged in chunk 3 \(rows 21 to 27\)"),
    (
        "chunked",
        "train/images/c/1/0/0",
        lambda own, other: own[: len(own) // 2],
        "the index at the end of the file isn't",
    ),
    ("chunked", "train/images/c/1/0/0", lambda own, other: b"x", "the file is too short for its index"),
    ("chunked", "train/images/c/1/0/0", lambda own, other: b"", "the file is too short for its index"),
    ("chunked", "train/image_digests/c/0/0", lambda own, other: None, "can't be read: No such object"),
    (
        "chunked",
        "train/labels/zarr.json",
        lambda own, other: b"{}",
        "the metadata of .* are damaged: 'data_type' is missing",
    ),
    ("whole", "train/images/c/1/0/0", lambda own, other: None, r"train/images/c/1/0/0 is missing"),
    (
        "whole",
        "train/images/c/1/0/0",
        lambda own, other: other,
        "train is damaged: its content doesn't have the digest",
    ),
    ("whole", "train/images/c/1/0/0", lambda own, other: flipped(own), r"train/images/c/1/0/0 is damaged: .*"),
    ("whole", "train/images/c/1/0/0", lambda own, other: own[:9], r"train/images/c/1/0/0 is damaged: .*"),
    (
        "whole",
        "train/labels/zarr.json",
        lambda own, other: None,
        "train/labels/zarr.json can't be read: No such object",
    ),
]


@pytest.mark.parametrize(("kind", "key", "spoil", "message"), SPOILT, indirect=["kind"])
def test_what_is_damaged_missing_or_swapped_is_named_in_one_line(
    info: DatasetInfo, key: str, spoil: Callable[[bytes, bytes], bytes | None], message: str
):
    other = key.replace("c/1/", "c/0/")
    change(info, key, spoil(content_of(info, key), content_of(info, other)))
    with pytest.raises(DataError, match=message) as caught:
        read(info.path, "train", info.digest)
    assert str(info.path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_files_are_missed_without_reading_them(info: DatasetInfo):
    objects = Bucket(info.path)
    key = next(key for key in sorted(objects.sizes()) if key.startswith("train/images/c/"))
    change(info, key, flipped(content_of(info, key)))
    assert check_files(info.path) == info
    with pytest.raises(DataError, match="is damaged"):
        verify(info.path)
    change(info, key, None)
    with pytest.raises(DataError, match=rf"{key} is missing"):
        check_files(info.path)


def test_why_it_cannot_be_read_is_told(info: DatasetInfo):
    assert why_unreadable(info.path) == ""
    assert why_unreadable(Address(info.path.bucket, "nowhere")) == "zarr.json isn't there"
    missing = f"{info.path.bucket}-missing"
    assert missing in why_unreadable(Address(missing, "things"))


def test_chunks_come_several_at_a_time_into_one_array(home: Home, source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    info = ingest(home, dataset="blobs", source=source)
    chunks = open_chunks(info.path, "train", info.digest).images
    assert chunks.concurrency > 1
    everything = np.arange(53, dtype=np.int32)
    images, expected = ResidentImages(chunks, 8 * 140), read(info.path, "train", info.digest)[0]
    images.prefetch(lambda: [everything])
    with images.pinned(everything):
        np.testing.assert_array_equal(images.array, expected)
    change(info, "train/images/c/1/0/0", None)
    again = ResidentImages(open_chunks(info.path, "train", info.digest).images, 8 * 140)
    with pytest.raises(DataError, match="is missing, and with it chunk 3"), again.pinned(everything):
        pass
    with again.pinned(everything[:21]):
        np.testing.assert_array_equal(again.array[:21], expected[:21])


def test_the_same_data_again_change_nothing_and_others_are_refused(
    info: DatasetInfo, home: Home, source: Path, tmp_path
):
    objects = Bucket(name_of(home)).times()
    assert ingest(home, dataset="blobs", source=source) == ingest(home, dataset="blobs") == info
    assert Bucket(name_of(home)).times() == objects
    write_idx_dataset(tmp_path / "other", shape=(4, 5), seed=9)
    with pytest.raises(Conflict, match="holds other data under this name"):
        ingest(home, dataset="blobs", source=tmp_path / "other")
    assert Bucket(name_of(home)).times() == objects


@pytest.mark.parametrize("key", ["train/images/c/1/0/0", "zarr.json"])
def test_a_damaged_one_is_told_and_built_anew(info: DatasetInfo, home: Home, source: Path, key: str):
    change(info, key, None)
    store._described_once.cache_clear()  # as in a process that has not looked before
    with pytest.raises(DataError, match=f"{key} .*; bring it in again with `atelier ingest --dataset blobs"):
        ingest(home, dataset="blobs")
    again = ingest(home, dataset="blobs", source=source)
    assert again.path != info.path
    assert verify(again.path).digest == info.digest
    assert describe(home.store("blobs")) == again
    assert stores_of(home) == {again.path.name}


def test_a_pointer_that_names_nothing_is_told_and_replaced(info: DatasetInfo, home: Home, source: Path):
    for content in (b"{", b"[]", b'{"store": 3, "digest": "a"}', b'{"store": ""}'):
        Bucket(name_of(home)).put("current.json", content)
        with pytest.raises(DataError, match=r"blobs\.zarr/current\.json is damaged"):
            describe(home.store("blobs"))
    assert isinstance(all_stores(home)["blobs"], DataError)
    assert ingest(home, dataset="blobs", source=source).digest == info.digest
    assert find_store(home, "blobs").digest == info.digest


def test_data_sets_are_listed_measured_and_removed(info: DatasetInfo, home: Home):
    assert all_stores(home) == {"blobs": info}
    assert find_store(home, "blobs") == info
    assert sum(train for train, _ in class_counts(info).values()) == 53
    assert stored_bytes(home, "blobs") == sum(Bucket(name_of(home)).sizes().values()) > 500
    assert (is_there(home, "blobs"), is_there(home, "none")) == (True, False)
    with pytest.raises(NotFound, match=r"no data set 'none' here \(data sets: blobs\)"):
        find_store(home, "none")
    delete_store(home, "blobs")
    assert (all_stores(home), Bucket(name_of(home)).sizes()) == ({}, {})
    with pytest.raises(NotFound, match="no data set 'blobs' here"):
        delete_store(home, "blobs")
    with pytest.raises(DataError, match=r"there is no store at .*blobs\.zarr: run `atelier ingest` first"):
        describe(home.store("blobs"))
    with pytest.raises(DataError, match="No such object"):
        read(info.path, "train", info.digest)


def test_of_many_who_bring_in_the_same_data_one_store_remains(home: Home, source: Path, tmp_path: Path):
    homes = [Home(tmp_path / f"host-{number}", data_elsewhere=home.data_elsewhere) for number in range(4)]
    with ThreadPoolExecutor(4) as hosts:
        found = list(hosts.map(lambda each: ingest(each, dataset="blobs", source=source), homes))
    assert {info.path for info in found} == {describe(home.store("blobs")).path}
    assert stores_of(home) == {found[0].path.name}
    assert verify(home.store("blobs")) == found[0]


def test_of_two_who_bring_in_different_data_one_is_refused_and_the_other_whole(
    home: Home, source: Path, tmp_path: Path
):
    write_idx_dataset(tmp_path / "other", shape=(4, 5), seed=9)
    homes = [Home(tmp_path / f"host-{number}", data_elsewhere=home.data_elsewhere) for number in range(2)]

    def bring(number: int) -> DatasetInfo | Conflict:
        try:
            return ingest(homes[number], dataset="blobs", source=(source, tmp_path / "other")[number])
        except Conflict as error:
            return error

    with ThreadPoolExecutor(2) as hosts:
        found = list(hosts.map(bring, range(2)))
    (published,) = (each for each in found if isinstance(each, DatasetInfo))
    (refused,) = (each for each in found if isinstance(each, Conflict))
    assert "holds other data under this name" in str(refused)
    assert verify(home.store("blobs")) == published


@pytest.fixture
def ended() -> Iterator[list[subprocess.Popen[bytes]]]:
    """Processes that are ended with the test."""
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait()


@pytest.mark.parametrize("write", [7, "pointer"])
def test_a_killed_ingestion_leaves_nothing_that_anybody_sees(
    object_storage: str, home: Home, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ended: list, write
):
    with trouble(object_storage, stall_at=FILES + 1 if write == "pointer" else write) as stalled:
        words = [sys.executable, "-c", INGEST, str(tmp_path / "host"), home.data_elsewhere, str(source)]
        process = subprocess.Popen(words)
        ended.append(process)
        deadline = time.monotonic() + 120
        while not stalled():
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGKILL)
        process.wait()
    left = stores_of(home)
    assert len(left) == 1
    if write == "pointer":  # it was written, though nobody heard so
        assert verify(home.store("blobs")).path.name in left
        return
    assert all_stores(home) == {}
    info = ingest(home, dataset="blobs", source=source)
    assert verify(home.store("blobs")) == info
    assert stores_of(home) == {info.path.name, *left}, "whoever writes may be slow"
    monkeypatch.setattr(generations, "LEFTOVER", timedelta(0))
    delete_store(home, "blobs")
    assert Bucket(name_of(home)).sizes() == {}


def test_a_storage_that_fails_now_and_then_is_no_obstacle(
    object_storage: str, home: Home, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    expected = ingest(Home(tmp_path / "local"), dataset="blobs", source=source)
    with trouble(object_storage, unsteady=3):
        info = ingest(home, dataset="blobs", source=source)
        assert verify(home.store("blobs")) == info
        assert info.digest == expected.digest
        delete_store(home, "blobs")
        assert all_stores(home) == {}


def test_a_full_cache_is_told_with_its_own_name(home: Home, source: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("service.data.whole_arrays._write", full)
    with pytest.raises(DataError, match=f"{home.cache} can't be written: No space left on device"):
        ingest(home, dataset="blobs", source=source)


def test_a_storage_that_is_away_is_told(home: Home, source: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    acts: list[Callable[[], object]] = [
        lambda: ingest(home, dataset="blobs", source=source),
        lambda: all_stores(home),
        lambda: describe(home.store("blobs")),
        lambda: delete_store(home, "blobs"),
    ]
    for act in acts:
        with pytest.raises(StorageError, match="can't be reached"):
            act()


def test_the_environment_says_where_data_lie(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path))
    monkeypatch.setenv("ATELIER_DATA", "s3://bucket/prefix/")
    home = Home.from_environment()
    assert (str(home.data), str(home.store("x"))) == ("s3://bucket/prefix", "s3://bucket/prefix/x.zarr")
    assert home.runs == tmp_path / "runs"
    monkeypatch.setenv("ATELIER_DATA", str(tmp_path / "elsewhere"))
    assert Home.from_environment().store("x") == tmp_path / "elsewhere" / "x.zarr"
    for wrong in ("ftp://host/x", "s3://Bucket"):
        monkeypatch.setenv("ATELIER_DATA", wrong)
        with pytest.raises(InvalidInput, match="data lie in a folder or at s3://bucket/prefix"):
            Home.from_environment()
    monkeypatch.setenv("ATELIER_DATA", "s3://bucket")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    with pytest.raises(AtelierError, match="AWS_ENDPOINT_URL must be an address"):
        Home.from_environment()


def test_a_pointer_says_which_data_it_stands_for(info: DatasetInfo, home: Home):
    recorded = json.loads(Bucket(name_of(home)).read("current.json"))
    assert recorded == {"store": info.path.name, "digest": info.digest}
