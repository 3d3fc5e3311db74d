import gzip
import json
import resource
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from service.data import describe, ingest, read, verify
from service.data.store_lock import store_locked
from service.errors import Conflict, DataError, InvalidInput
from service.home import Home
from tests.clusters import until
from tests.data import idx_bytes, write_idx_dataset


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "source"
    write_idx_dataset(folder)
    return folder


def left_over(home: Home) -> list[str]:
    return sorted(path.name for path in home.data.iterdir()) if home.data.exists() else []


@pytest.mark.parametrize(("shape", "classes", "gz"), [((28, 28), 10, True), ((17, 31), 23, False), ((1, 2), 2, True)])
def test_any_four_idx_files_come_back_from_the_store(home: Home, tmp_path: Path, shape, classes, gz):
    train, test = write_idx_dataset(tmp_path / "idx", train=123, test=45, shape=shape, classes=classes, gz=gz)
    info = ingest(home, dataset="blobs", source=tmp_path / "idx")
    assert (info.train, info.test, info.image_shape, info.classes) == (123, 45, shape, classes)
    for group, (images, labels) in (("train", train), ("test", test)):
        stored_images, stored_labels = read(info.path, group, info.digest)
        np.testing.assert_array_equal(stored_images, images)
        np.testing.assert_array_equal(stored_labels, labels)
    assert left_over(home) == ["blobs.zarr"]


def test_ingesting_twice_keeps_the_store_and_other_data_are_refused(home: Home, source: Path, tmp_path: Path):
    first = ingest(home, dataset="blobs", source=source)
    written = (first.path / "zarr.json").stat().st_mtime_ns
    assert ingest(home, dataset="blobs", source=source) == first
    assert (first.path / "zarr.json").stat().st_mtime_ns == written
    write_idx_dataset(tmp_path / "other", seed=9)
    with pytest.raises(Conflict, match="other data under this name"):
        ingest(home, dataset="blobs", source=tmp_path / "other")
    assert describe(first.path) == first


def spoil_truncate(folder: Path) -> str:
    path = folder / "train-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes())[:-5]))
    return path.name


def spoil_swap(folder: Path) -> str:
    images, labels = folder / "train-images-idx3-ubyte.gz", folder / "train-labels-idx1-ubyte.gz"
    content = images.read_bytes()
    images.write_bytes(labels.read_bytes())
    labels.write_bytes(content)
    return images.name


def spoil_counts(folder: Path) -> str:
    path = folder / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.arange(7, dtype=np.uint8))))
    return path.name


def spoil_shape(folder: Path) -> str:
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(gzip.compress(idx_bytes(np.ones((60, 9, 9), np.uint8))))
    return path.name


def spoil_missing(folder: Path) -> str:
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.unlink()
    return path.name.removesuffix(".gz")


@pytest.mark.parametrize("spoil", [spoil_truncate, spoil_swap, spoil_counts, spoil_shape, spoil_missing])
def test_a_spoiled_source_is_refused_by_name_and_leaves_nothing(home: Home, source: Path, spoil):
    name = spoil(source)
    with pytest.raises(DataError, match=name):
        ingest(home, dataset="blobs", source=source)
    assert left_over(home) == []


def test_fashion_mnist_must_be_fashion_mnist(home: Home, source: Path):
    with pytest.raises(DataError, match="is not fashion-mnist's train-images"):
        ingest(home, dataset="fashion-mnist", source=source)
    assert left_over(home) == []


def test_an_unknown_data_set_needs_a_folder(home: Home):
    with pytest.raises(InvalidInput, match="--source"):
        ingest(home, dataset="kmnist")


def test_a_source_that_is_no_folder_is_refused(home: Home, tmp_path: Path):
    with pytest.raises(DataError, match="there is no file or folder"):
        ingest(home, dataset="blobs", source=tmp_path / "nowhere")


def spoil_chunk_missing(store: Path) -> None:
    (store / "train" / "images" / "c" / "0" / "0" / "0").unlink()


def spoil_chunk_bit(store: Path) -> None:
    chunk = store / "train" / "images" / "c" / "0" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[len(content) // 2] ^= 4
    chunk.write_bytes(content)


def spoil_chunk_cut(store: Path) -> None:
    chunk = store / "train" / "labels" / "c" / "0"
    chunk.write_bytes(chunk.read_bytes()[:10])


def spoil_chunk_of_another_array(store: Path) -> None:
    shutil.copyfile(store / "test" / "labels" / "c" / "0", store / "train" / "labels" / "c" / "0")


def edit(path: Path, **attributes: object) -> None:
    """Change what a group says of itself."""
    content = json.loads(path.read_text())
    content["attributes"] |= attributes
    path.write_text(json.dumps(content))


def spoil_digest(store: Path) -> None:
    edit(store / "zarr.json", digest="0" * 64)


def spoil_count(store: Path) -> None:
    groups = json.loads((store / "zarr.json").read_text())["attributes"]["groups"]
    groups["train"]["count"] += 1
    edit(store / "zarr.json", groups=groups)


def spoil_group(store: Path) -> None:
    groups = json.loads((store / "zarr.json").read_text())["attributes"]["groups"]
    del groups["test"]["digest"]
    edit(store / "zarr.json", groups=groups)


def spoil_classes(store: Path) -> None:
    edit(store / "zarr.json", class_names=["one", "two"])


def spoil_type(store: Path) -> None:
    path = store / "train" / "images" / "zarr.json"
    path.write_text(path.read_text().replace("uint8", "int8"))


def spoil_whole(store: Path) -> None:
    shutil.rmtree(store)
    store.write_text("not a folder")


def spoil_metadata(store: Path) -> None:
    (store / "train" / "images" / "zarr.json").write_text("{")


SPOILT = [
    spoil_chunk_missing,
    spoil_chunk_bit,
    spoil_chunk_cut,
    spoil_chunk_of_another_array,
    spoil_digest,
    spoil_count,
    spoil_group,
    spoil_classes,
    spoil_type,
    spoil_whole,
    spoil_metadata,
]


@pytest.mark.parametrize("spoil", [spoil_chunk_missing, spoil_chunk_bit])
def test_a_spoiled_chunk_is_named(home: Home, source: Path, spoil):
    info = ingest(home, dataset="blobs", source=source)
    spoil(info.path)
    with pytest.raises(DataError, match=r"train/images/c/0/0/0 is (missing|damaged)") as caught:
        read(info.path, "train", info.digest)
    assert "\n" not in str(caught.value)


def test_chunks_are_packed_with_zstd_and_checked_with_crc32c(home: Home, source: Path):
    info = ingest(home, dataset="blobs", source=source)
    for path in info.path.glob("*/*/zarr.json"):
        codecs = [codec["name"] for codec in json.loads(path.read_text())["codecs"]]
        assert codecs == ["bytes", "zstd", "crc32c"]


def test_large_images_come_in_small_chunks(home: Home, tmp_path: Path, monkeypatch):
    monkeypatch.setattr("service.data.whole_arrays.CHUNK_BYTES", 10_000)
    train, _ = write_idx_dataset(tmp_path / "idx", train=50, test=9)
    info = ingest(home, dataset="blobs", source=tmp_path / "idx")
    assert len(list((info.path / "train" / "images" / "c").iterdir())) == 5  # 12 images of 784 bytes fit
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], train[0])


@pytest.mark.parametrize("spoil", SPOILT)
def test_a_spoiled_store_is_noticed_and_built_anew(home: Home, source: Path, spoil):
    info = ingest(home, dataset="blobs", source=source)
    spoil(info.path)
    with pytest.raises(DataError, match=r"blobs\.zarr"):
        verify(info.path)
    said: list[str] = []
    assert ingest(home, dataset="blobs", source=source, progress=said.append) == info
    assert any("anew" in message for message in said)
    assert verify(info.path) == info


def test_a_spoiled_store_of_data_that_only_the_user_has_is_told(home: Home, source: Path):
    ingest(home, dataset="blobs", source=source)
    (home.store("blobs") / "train" / "images" / "c" / "0" / "0" / "0").unlink()
    with pytest.raises(DataError, match=r"c/0/0/0 is missing; bring it in again with `atelier ingest --dataset blobs"):
        ingest(home, dataset="blobs")


def test_a_store_of_other_data_is_not_read(home: Home, source: Path):
    info = ingest(home, dataset="blobs", source=source)
    with pytest.raises(DataError, match="not 000000000000 as expected"):
        read(info.path, "train", replace(info, digest="0" * 64).digest)


@pytest.mark.parametrize("name", ["../elsewhere", "a/b", "", "Name", "x\n"])
def test_a_name_that_leads_elsewhere_is_refused(home: Home, source: Path, name: str):
    with pytest.raises(InvalidInput, match="name must match"):
        ingest(home, dataset=name, source=source)


@pytest.mark.parametrize("damaged", [False, True])
def test_two_that_ingest_at_once_get_the_same_store(home: Home, source: Path, damaged: bool):
    if damaged:
        spoil_chunk_missing(ingest(home, dataset="blobs", source=source).path)
    said: list[str] = []
    with ThreadPoolExecutor(2) as both:
        work = [both.submit(ingest, home, dataset="blobs", source=source, progress=said.append) for _ in range(2)]
        first, second = (one.result() for one in work)
    assert first == second == verify(first.path)
    assert sum(message.startswith("writing") for message in said) == 1
    assert left_over(home) == ["blobs.zarr"]


def test_an_interrupted_build_leaves_nothing(home: Home, source: Path, monkeypatch):
    def interrupted(*args: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("service.data.whole_arrays._write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        ingest(home, dataset="blobs", source=source)
    assert left_over(home) == []


def test_a_disk_that_takes_no_more_is_told_and_leaves_nothing(home: Home, source: Path):
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, hard))  # the first chunk of images is larger
    try:
        with pytest.raises(DataError, match=r"blobs\.zarr can't be written: File too large"):
            ingest(home, dataset="blobs", source=source)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert left_over(home) == []


def test_a_damaged_store_is_not_replaced_by_other_data(home: Home, source: Path, tmp_path: Path):
    info = ingest(home, dataset="blobs", source=source)
    chunk = next(path for path in (info.path / "train" / "images" / "c").rglob("*") if path.is_file())
    chunk.write_bytes(b"damaged")
    write_idx_dataset(tmp_path / "other", seed=9)
    with pytest.raises(Conflict, match="other data under this name"):
        ingest(home, dataset="blobs", source=tmp_path / "other")
    assert chunk.read_bytes() == b"damaged"
    assert ingest(home, dataset="blobs", source=source) == info
    assert verify(info.path) == info


def test_a_store_of_a_later_version_is_left_alone(home: Home, source: Path):
    info = ingest(home, dataset="blobs", source=source)
    metadata = json.loads((info.path / "zarr.json").read_text())
    metadata["attributes"]["format"] = "atelier-store-99"
    (info.path / "zarr.json").write_text(json.dumps(metadata))
    with pytest.raises(
        Conflict, match=r"is of format 'atelier-store-99', expected .*: a later version of Atelier made"
    ):
        ingest(home, dataset="blobs", source=source)
    assert json.loads((info.path / "zarr.json").read_text()) == metadata


def test_homes_that_share_a_folder_of_data_share_its_locks(home: Home, source: Path, tmp_path: Path):
    one, other = (Home(tmp_path / name, data_elsewhere=str(tmp_path / "shared")) for name in ("one", "other"))
    told: list[str] = []
    with ThreadPoolExecutor(1) as pool, store_locked(one, "blobs"):
        ingesting = pool.submit(ingest, other, dataset="blobs", source=source, progress=told.append)
        until(lambda: bool(told))
        assert told == ["waiting for another process that ingests blobs"]
        assert not list((tmp_path / "shared").glob("*.zarr"))
        assert not ingesting.done()
    assert ingesting.result().name == "blobs"
