"""The Zarr store, held to what it promises of itself; `test_ingest.py` has what brings data into it."""

import json
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from numpy.typing import NDArray

from service.data import store, whole_arrays
from service.data.about import About
from service.data.channel_statistics import ChannelStatistics
from service.data.store import (
    DatasetInfo,
    build,
    check_files,
    describe,
    identity,
    label_counts,
    read,
    read_about,
    verify,
    why_unreadable,
)
from service.errors import DataError
from tests.service.data.things import NAMES, SHAPE, arrays

TRAIN, TEST = arrays(25, 0), arrays(7, 1)
DIGEST = identity(TRAIN, TEST)


@pytest.fixture
def info(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> DatasetInfo:
    """A store whose images lie in chunks of ten."""
    monkeypatch.setattr(whole_arrays, "CHUNK", 10)
    return build(tmp_path / "things.zarr", "things", NAMES, TRAIN, TEST)


def refused(path: Path, group: Any = "train", digest: str = DIGEST) -> str:
    """What is said where a group can't be read."""
    with pytest.raises(DataError) as caught:
        read(path, group, digest)
    return str(caught.value)


def edit(path: Path, change: Any) -> None:
    """Change the JSON of a file in place."""
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_a_store_comes_back_byte_for_byte(info: DatasetInfo) -> None:
    for group, (images, labels) in (("train", TRAIN), ("test", TEST)):
        stored_images, stored_labels = read(info.path, group, info.digest)  # type: ignore[arg-type]  # both are groups
        np.testing.assert_array_equal(stored_images, images)
        np.testing.assert_array_equal(stored_labels, labels)
        assert stored_images.dtype == stored_labels.dtype == np.uint8


def test_a_store_says_what_it_holds(info: DatasetInfo, tmp_path: Path) -> None:
    statistics = ChannelStatistics.of_parts([TRAIN[0]])
    expected = DatasetInfo(tmp_path / "things.zarr", "things", DIGEST, 25, 7, SHAPE, 3, NAMES, statistics=statistics)
    assert info == expected
    assert describe(info.path) == verify(info.path) == info


def test_a_store_in_colour_says_so(tmp_path: Path) -> None:
    images = np.random.default_rng(5).integers(0, 256, (6, 3, 4, 5), dtype=np.uint8)
    labels = np.arange(6, dtype=np.uint8) % 3
    info = build(tmp_path / "colour.zarr", "colour", NAMES, (images, labels), (images[:2], labels[:2]))
    assert (info.channels, info.input_shape) == (3, (3, 4, 5))
    assert len(info.statistics.means) == 3
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], images)


def test_labels_are_counted_in_whole_numbers(info: DatasetInfo) -> None:
    counts = label_counts(info.path, "train")
    assert counts == tuple(int((TRAIN[1] == label).sum()) for label in range(3))
    assert all(type(count) is int for count in counts)


def test_classes_without_examples_count_none(tmp_path: Path) -> None:
    images, labels = TRAIN[0], np.zeros_like(TRAIN[1])
    assert label_counts(build(tmp_path / "one.zarr", "one", NAMES, (images, labels), TEST).path, "train") == (25, 0, 0)


def test_a_store_says_what_it_was_told_about_its_data(info: DatasetInfo, tmp_path: Path) -> None:
    about = About(format="boxes", source="attic", skipped=2)
    told = build(tmp_path / "told.zarr", "told", NAMES, TRAIN, TEST, about)
    assert read_about(told.path) == about
    assert read_about(info.path) == About()


def test_only_a_store_beyond_the_limit_is_read_by_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = TRAIN[0].nbytes + TEST[0].nbytes
    for limit, is_chunked in ((size, False), (size - 1, True)):
        monkeypatch.setattr(store, "CHUNKED_FROM", limit)
        assert build(tmp_path / f"{limit}.zarr", "things", NAMES, TRAIN, TEST).is_chunked == is_chunked


def content_digest(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """Written out: SHA-256 of both shapes, the pixels and the labels."""
    count, height, width = images.shape
    shapes = f"(({count}, {height}, {width}), ({count},))"
    return sha256(shapes.encode() + images.tobytes() + labels.tobytes()).hexdigest()


def test_the_metadata_and_the_digests_are_those_of_stores_of_before(info: DatasetInfo) -> None:
    train, test = content_digest(*TRAIN), content_digest(*TEST)
    attributes = json.loads((info.path / "zarr.json").read_text())["attributes"]
    assert attributes.pop("channels") == ChannelStatistics.of_parts([TRAIN[0]]).to_attributes()
    assert attributes == {
        "format": "atelier-images-1",
        "name": "things",
        "digest": sha256(f"train:{train}/test:{test}".encode()).hexdigest(),
        "class_names": list(NAMES),
        "groups": {"train": {"count": 25, "digest": train}, "test": {"count": 7, "digest": test}},
    }


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("what", [0, 1])
def test_the_identity_depends_on_every_array(part: str, what: int) -> None:
    groups = {"train": [TRAIN[0], TRAIN[1]], "test": [TEST[0], TEST[1]]}
    groups[part][what] = groups[part][what] ^ 1
    assert identity(tuple(groups["train"]), tuple(groups["test"])) != DIGEST  # type: ignore[arg-type]


def test_the_identity_does_not_depend_on_how_arrays_lie_in_memory() -> None:
    images, labels = TRAIN
    turned = np.asfortranarray(images), np.repeat(labels, 2)[::2]
    assert identity(turned, TEST) == DIGEST


def test_chunks_are_packed_with_zstd_at_level_5_and_checked_with_crc32c(info: DatasetInfo) -> None:
    for group in ("train", "test"):
        for array in ("images", "labels"):
            codecs = json.loads((info.path / group / array / "zarr.json").read_text())["codecs"]
            assert [codec["name"] for codec in codecs] == ["bytes", "zstd", "crc32c"]
            assert codecs[1]["configuration"]["level"] == 5


def chunks_of(path: Path, group: str = "train") -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The shapes of the chunks of a group's images and labels."""
    root = zarr.open_group(path, mode="r")
    images, labels = root[f"{group}/images"], root[f"{group}/labels"]
    return images.chunks, labels.chunks  # type: ignore[union-attr]  # both are arrays


def test_images_come_in_chunks_of_a_fixed_number_and_labels_in_chunks_of_twenty_times_as_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(whole_arrays, "CHUNK", 2)
    info = build(tmp_path / "a.zarr", "a", NAMES, arrays(50, 0), TEST)
    assert chunks_of(info.path) == ((2, *SHAPE), (40,))
    assert chunks_of(info.path, "test") == ((2, *SHAPE), (7,))  # never longer than the array


@pytest.mark.parametrize(("most", "images"), [(59, 2), (60, 3), (1, 1)])
def test_large_images_come_in_chunks_of_fewer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, images: int
) -> None:
    monkeypatch.setattr(whole_arrays, "CHUNK_BYTES", most)  # an image has 20 bytes
    info = build(tmp_path / "a.zarr", "a", NAMES, TRAIN, TEST)
    assert chunks_of(info.path) == ((images, *SHAPE), (25,))
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], TRAIN[0])


def test_chunks_of_zeros_are_written_too(tmp_path: Path) -> None:
    # Zarr leaves them out by default, and a chunk that is missing here counts as damage.
    black = np.zeros((25, *SHAPE), np.uint8), np.zeros(25, np.uint8)
    info = build(tmp_path / "a.zarr", "a", NAMES, black, TEST)
    np.testing.assert_array_equal(read(info.path, "train", info.digest)[0], black[0])


def test_a_group_may_be_empty(tmp_path: Path) -> None:
    info = build(tmp_path / "a.zarr", "a", NAMES, TRAIN, arrays(0, 0))
    assert (info.train, info.test) == (25, 0)
    images, labels = read(info.path, "test", info.digest)
    assert (images.shape, labels.shape) == ((0, *SHAPE), (0,))


def test_a_store_is_never_built_over_another(info: DatasetInfo) -> None:
    with pytest.raises(FileExistsError):
        build(info.path, "things", NAMES, TEST, TRAIN)
    assert verify(info.path) == info
    assert [path.name for path in info.path.parent.iterdir()] == ["things.zarr"]


@pytest.mark.parametrize("of", ["train", "test"])
def test_a_chunk_swapped_for_another_valid_one_is_noticed(info: DatasetInfo, tmp_path: Path, of: str) -> None:
    # Its checksum is right, its length too: only the digest of the content tells.
    other = build(tmp_path / "other.zarr", "other", NAMES, arrays(25, 5), arrays(7, 6))
    chunk = Path(of) / "images" / "c" / "0" / "0" / "0"
    shutil.copyfile(other.path / chunk, info.path / chunk)
    message = f"{info.path / of} is damaged: its content doesn't have the digest in zarr.json"
    assert refused(info.path, of) == message
    with pytest.raises(DataError, match="doesn't have the digest"):
        verify(info.path)


def test_two_chunks_of_one_array_exchanged_are_noticed(info: DatasetInfo) -> None:
    chunks = info.path / "train" / "images" / "c"
    (chunks / "0").rename(chunks / "2x")
    (chunks / "1").rename(chunks / "0")
    (chunks / "2x").rename(chunks / "1")
    assert "its content doesn't have the digest" in refused(info.path)


def test_labels_exchanged_for_those_of_another_group_are_noticed(info: DatasetInfo, tmp_path: Path) -> None:
    flipped = TRAIN[0], TRAIN[1][::-1].copy()
    other = build(tmp_path / "other.zarr", "other", NAMES, flipped, TEST)
    shutil.copyfile(other.path / "train/labels/c/0", info.path / "train/labels/c/0")
    assert "its content doesn't have the digest" in refused(info.path)


def test_other_data_than_those_asked_for_are_refused(info: DatasetInfo) -> None:
    message = f"{info.path} holds data {info.digest[:12]}, not {'0' * 12} as expected"
    assert refused(info.path, digest="0" * 64) == message


@pytest.mark.parametrize("chunk", ["images/c/0/0/0", "images/c/2/0/0", "labels/c/0"])
def test_a_missing_chunk_is_named(info: DatasetInfo, chunk: str) -> None:
    path = info.path / "train" / chunk
    path.unlink()
    assert refused(info.path) == f"{path} is missing"


@pytest.mark.parametrize("chunk", ["images/c/0/0/0", "images/c/2/0/0", "labels/c/0"])
@pytest.mark.parametrize("cut", [False, True])
def test_a_damaged_chunk_is_named_on_one_line(info: DatasetInfo, chunk: str, cut: bool) -> None:
    path = info.path / "train" / chunk
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content[:6] if cut else content)
    message = refused(info.path)
    assert message.startswith(f"{path} is damaged: ")
    assert "\n" not in message


def test_an_error_without_a_text_is_named_by_its_kind(info: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(zarr, "open_array", fail)
    assert refused(info.path) == f"{info.path / 'train' / 'images'} is damaged: MemoryError"


def test_damage_that_is_in_no_chunk_is_the_arrays(info: DatasetInfo, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise ValueError("two\n  lines")

    monkeypatch.setattr(np, "ascontiguousarray", fail)
    assert refused(info.path) == f"{info.path / 'train' / 'images'} is damaged: two lines"


def test_a_label_without_a_class_is_refused(tmp_path: Path) -> None:
    info = build(tmp_path / "a.zarr", "a", NAMES[:2], TRAIN, TEST)
    message = f"the metadata of {info.path} are damaged: 2 classes, but labels up to 2"
    assert refused(info.path) == message


def test_a_store_that_is_not_there_is_told_with_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.zarr"
    assert refused(path) == f"there is no store at {path}: run `atelier ingest` first"


def test_a_store_of_another_format_is_told(info: DatasetInfo) -> None:
    edit(info.path / "zarr.json", lambda content: content["attributes"].update(format="atelier-images-9"))
    expected = "expected 'atelier-images-1' or 'atelier-images-2'"
    assert refused(info.path) == f"{info.path} is of format 'atelier-images-9', {expected}"


@pytest.mark.parametrize("file", ["zarr.json", "train/images/zarr.json", "test/labels/zarr.json"])
def test_metadata_that_are_missing_are_named(info: DatasetInfo, file: str) -> None:
    (info.path / file).unlink()
    assert refused(info.path) == f"{info.path / file} can't be read: No such file or directory"


@pytest.mark.parametrize("key", ["format", "name", "digest", "class_names", "groups"])
def test_an_attribute_that_is_missing_is_named(info: DatasetInfo, key: str) -> None:
    edit(info.path / "zarr.json", lambda content: content["attributes"].pop(key))
    assert refused(info.path) == f"the metadata of {info.path} are damaged: '{key}' is missing"


@pytest.mark.parametrize("group", ["train", "test"])
@pytest.mark.parametrize("array", ["images", "labels"])
def test_an_array_of_another_length_than_its_group_counts_is_refused(info: DatasetInfo, group: str, array: str) -> None:
    def lengthen(content: dict[str, Any]) -> None:
        content["shape"][0] += 1

    edit(info.path / group / array / "zarr.json", lengthen)
    count = {"train": 25, "test": 7}[group]
    shapes = [f"({count + (array == 'images')}, 4, 5)", f"({count + (array == 'labels')},)"]
    message = f"{group} has arrays of {shapes[0]} and {shapes[1]}, but counts {count} examples"
    assert refused(info.path) == f"the metadata of {info.path} are damaged: {message}"


def test_images_of_two_sizes_are_refused(tmp_path: Path) -> None:
    wide = np.zeros((7, 5, 4), np.uint8), TEST[1]
    with pytest.raises(DataError, match=r"test has arrays of \(7, 5, 4\) and \(7,\), but counts 7 examples"):
        build(tmp_path / "a.zarr", "a", NAMES, TRAIN, wide)


@pytest.mark.parametrize("names", [[], "shirt", [1, 2, 3], ["shirt", None, "bag"], {"shirt": 0}])
def test_class_names_that_are_no_list_of_names_are_refused(info: DatasetInfo, names: Any) -> None:
    edit(info.path / "zarr.json", lambda content: content["attributes"].update(class_names=names))
    assert refused(info.path) == f"the metadata of {info.path} are damaged: class_names must be a list of names"


def test_digests_that_do_not_agree_are_refused(info: DatasetInfo) -> None:
    edit(info.path / "zarr.json", lambda content: content["attributes"]["groups"]["test"].update(digest="0" * 64))
    assert refused(info.path) == f"the metadata of {info.path} are damaged: the digests in zarr.json don't agree"


@pytest.mark.parametrize("array", ["train/images", "test/labels"])
def test_an_array_of_another_type_is_refused(info: DatasetInfo, array: str) -> None:
    edit(info.path / array / "zarr.json", lambda content: content.update(data_type="int16"))
    message = f"{info.path / array} holds int16, expected uint8"
    assert refused(info.path) == f"the metadata of {info.path} are damaged: {message}"


def test_metadata_that_are_no_json_are_refused(info: DatasetInfo) -> None:
    (info.path / "zarr.json").write_text("{")
    assert refused(info.path).startswith(f"the metadata of {info.path} are damaged: ")


def test_images_of_two_channels_are_refused(info: DatasetInfo) -> None:
    metadata = info.path / "train" / "images" / "zarr.json"
    edit(metadata, lambda content: content.update(shape=[25, 2, *SHAPE]))
    assert refused(info.path) == f"the metadata of {info.path} are damaged: images have 2 channels, expected 1 or 3"


def test_a_small_store_in_a_folder_is_read_when_its_files_are_checked(info: DatasetInfo) -> None:
    assert check_files(info.path) == info
    chunk = info.path / "train" / "images" / "c" / "1" / "0" / "0"
    content = bytearray(chunk.read_bytes())
    content[-1] ^= 1
    chunk.write_bytes(content)
    with pytest.raises(DataError, match="is damaged"):
        check_files(info.path)


def test_a_chunked_store_is_not_read_when_its_files_are_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "CHUNKED_FROM", 0)
    info = build(tmp_path / "large.zarr", "large", NAMES, TRAIN, TEST)
    chunk = next(path for path in (info.path / "test" / "images" / "c").rglob("*") if path.is_file())
    content = bytearray(chunk.read_bytes())
    content[0] ^= 1
    chunk.write_bytes(content)
    assert check_files(info.path) == info
    with pytest.raises(DataError, match="is damaged"):
        verify(info.path)
    chunk.unlink()
    with pytest.raises(DataError, match="is missing"):
        check_files(info.path)


def test_whether_a_folder_can_be_read_is_told_by_its_metadata(info: DatasetInfo, tmp_path: Path) -> None:
    assert why_unreadable(info.path) == ""
    assert why_unreadable(tmp_path / "nowhere.zarr") == "it isn't there"
