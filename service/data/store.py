"""The Zarr store of a data set: bytes as they came, with the digests that say so.

    <name>.zarr/  attributes: format, name, digest, class_names, groups {name: {count, digest}}, about
        train/images (N, 28, 28) uint8, in colour (N, 3, 32, 32)    train/labels (N,) uint8
        test/images                                                 test/labels

Zarr reads a chunk whose file is missing as zeros, without a word. So nothing that is read is believed before its
digest is right; the digests of the groups stand in the attributes, and the data set's digest is made from them. A small
store is read and checked whole (`whole_arrays`), a large one by chunks with digests of their own (`chunked_groups`).
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np

from service.data import buffers, chunked_groups, whole_arrays
from service.data.about import About
from service.data.channel_statistics import ChannelStatistics
from service.data.chunked_groups import ChunkedGroup
from service.data.dataset_info import DatasetInfo
from service.data.formats.base import Arrays
from service.data.generations import resolve
from service.data.shards import Layout
from service.data.store_files import read_metadata
from service.errors import DataError, NotFound, StorageError
from service.files import new_folder
from service.storage import Address, Place, objects_at

Group = Literal["train", "test"]

WHOLE, CHUNKED = "atelier-images-1", "atelier-images-2"
"""The formats of a store that is read whole, and of one that is read by chunks."""

CHUNKED_FROM = 256 << 20
"""Bytes of images from which on a new store is a chunked one."""

GROUPS: tuple[Group, Group] = ("train", "test")


def build(
    path: Path,
    name: str,
    class_names: tuple[str, ...],
    train: Arrays,
    test: Arrays,
    about: About | None = None,
    note: Callable[[int], object] = lambda done: None,
) -> DatasetInfo:
    """Write a store beside `path` and rename it into place.

    Args:
        path: where it is to lie.
        name: of the data set.
        class_names: of its classes.
        train: images and labels to train on; they may be files that are mapped into memory.
        test: the same, to test with.
        about: what the store says of the data beside them.
        note: is told how many bytes more are written.

    Raises:
        FileExistsError: there is one by then.
    """
    groups = {"train": train, "test": test}
    format_ = _format_for(train, test)

    def attributes(digests: dict[str, str]) -> dict[str, Any]:
        facts = {key: {"count": len(groups[key][1]), "digest": digest} for key, digest in digests.items()}
        return {
            "format": format_,
            "name": name,
            "digest": _identity(facts),
            "class_names": list(class_names),
            "groups": facts,
            "channels": ChannelStatistics.of_parts(train[0][rows] for rows in buffers.blocks(train[0])).to_attributes(),
            **({"about": about.to_attributes()} if about else {}),
        }

    with new_folder(path) as draft:
        if format_ == CHUNKED:
            chunked_groups.write_groups(draft, attributes, groups, note)
        else:
            digests = {key: whole_arrays.digest(*arrays) for key, arrays in groups.items()}
            whole_arrays.write_groups(draft, attributes(digests), groups)
    return describe(path)


class UnknownFormat(DataError):
    """A store of a format that this version doesn't know."""


def describe(path: Place) -> DatasetInfo:
    """What the store says of itself.

    Args:
        path: where it lies; in object storage a data set's name, which leads to it, or the store itself.

    Raises:
        DataError: it is missing, not ours, or its metadata are damaged.
        StorageError: the storage can't be reached.
    """
    return _described(path)[0]


def why_unreadable(path: Place) -> str:
    """What keeps this process from reading the store that lies there; empty where nothing does."""
    if isinstance(path, Path):
        return "" if (path / "zarr.json").is_file() else "it isn't there"
    try:
        objects_at(path).read("zarr.json")
    except (NotFound, StorageError) as error:
        return str(error)
    return ""


def _described(path: Place) -> tuple[DatasetInfo, dict[str, str]]:
    """What the store says of itself, and the digests of its groups."""
    if isinstance(path, Address):
        return _described_once(resolve(path))
    if not path.is_dir():
        raise DataError(f"there is no store at {path}: run `atelier ingest` first")
    return _read_description(path)


def _read_description(path: Place) -> tuple[DatasetInfo, dict[str, str]]:
    try:
        attributes = read_metadata(path)["attributes"]
        if attributes["format"] not in (WHOLE, CHUNKED):
            raise UnknownFormat(f"{path} is of format {attributes['format']!r}, expected {WHOLE!r} or {CHUNKED!r}")
        facts, names = attributes["groups"], attributes["class_names"]
        *channels, height, width = _shape(path / "train" / "images")[1:]
        if channels not in ([], [3]):
            raise ValueError(f"images have {'x'.join(map(str, channels))} channels, expected 1 or 3")
        for key in GROUPS:
            count = facts[key]["count"]
            shapes = _shape(path / key / "images"), _shape(path / key / "labels")
            if shapes != ((count, *channels, height, width), (count,)):
                raise ValueError(f"{key} has arrays of {shapes[0]} and {shapes[1]}, but counts {count} examples")
        if not (isinstance(names, list) and names and all(isinstance(name, str) for name in names)):
            raise ValueError("class_names must be a list of names")
        if _identity(facts) != attributes["digest"]:
            raise ValueError("the digests in zarr.json don't agree")
        info = DatasetInfo(
            path=path,
            name=attributes["name"],
            digest=attributes["digest"],
            train=facts["train"]["count"],
            test=facts["test"]["count"],
            image_shape=(height, width),
            classes=len(names),
            class_names=tuple(names),
            channels=channels[0] if channels else 1,
            chunk=_chunk(path) if attributes["format"] == CHUNKED else 0,
            statistics=ChannelStatistics.from_attributes(attributes.get("channels"), channels[0] if channels else 1),
        )
        return info, {key: facts[key]["digest"] for key in GROUPS}
    except KeyError as error:
        raise DataError(f"the metadata of {path} are damaged: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"the metadata of {path} are damaged: {error}") from None


_described_once = lru_cache(maxsize=64)(_read_description)
"""Of stores in object storage, which never change: several requests each."""


def read(path: Place, group: Group, digest: str) -> Arrays:
    """Images (N, h, w) or (N, 3, h, w) and labels (N,) uint8 of one group of the data set with that digest, checked.

    Raises DataError where the store holds other data, or a chunk is missing or damaged.
    """
    info, expected = _described_as(path, digest)
    if info.is_chunked:
        chunks = ChunkedGroup(info.path / group, expected[group])
        images, labels = chunks.images.read_all(), chunks.labels.read_all()
    else:
        images, labels = (whole_arrays.read_array(info.path / group / name) for name in chunked_groups.NAMES)
        if whole_arrays.digest(images, labels) != expected[group]:
            raise DataError(f"{info.path / group} is damaged: its content doesn't have the digest in zarr.json")
    _check_labels(info, labels)
    return images, labels


def open_chunks(path: Place, group: Group, digest: str) -> ChunkedGroup:
    """One group of the chunked data set with that digest. Raises DataError where the store holds other data."""
    info, expected = _described_as(path, digest)
    return ChunkedGroup(info.path / group, expected[group])


def blocks(path: Place, group: Group, digest: str) -> Iterator[Arrays]:
    """The examples of a group, checked, one part after another; a small store comes in one part. Raises DataError."""
    if describe(path).is_chunked:
        yield from open_chunks(path, group, digest).blocks()
    else:
        yield read(path, group, digest)


def label_counts(path: Place, group: Group) -> tuple[int, ...]:
    """How many examples of each class a group has: for people, since only `read` checks what it reads.

    Raises DataError where the labels can't be read.
    """
    info, digests = _described(path)
    if info.is_chunked:
        parts: Iterator[Any] = ChunkedGroup(info.path / group, digests[group]).labels.read_each()
    else:
        parts = iter([whole_arrays.read_array(info.path / group / "labels")])
    counts = np.zeros(info.classes, np.int64)
    for part in parts:
        _check_labels(info, part)
        counts += np.bincount(part, minlength=info.classes)
    return tuple(counts.tolist())


def read_about(path: Place) -> About:
    """What the store at `path` says of its data. Raises DataError where it can't be read."""
    return About.from_attributes(read_metadata(describe(path).path)["attributes"].get("about") or {})


def verify(path: Place) -> DatasetInfo:
    """Read everything once. Raises DataError where anything is wrong."""
    info = describe(path)
    for group in GROUPS:
        for _, labels in blocks(info.path, group, info.digest):
            _check_labels(info, labels)
    return info


def check_files(path: Place) -> DatasetInfo:
    """Read all of a small store in a folder; of others, only make sure that their files are there. Raises DataError."""
    info, digests = _described(path)
    if isinstance(info.path, Path) and not info.is_chunked:
        return verify(path)
    for group in GROUPS:
        if info.is_chunked:
            ChunkedGroup(info.path / group, digests[group]).check_files()
        else:
            for name in chunked_groups.NAMES:
                whole_arrays.check_files(info.path / group / name)
    return info


def _shape(path: Place) -> tuple[int, ...]:
    """The shape of an array of bytes, as its own metadata have it."""
    metadata = read_metadata(path)
    if metadata["data_type"] != "uint8":
        raise ValueError(f"{path} holds {metadata['data_type']}, expected uint8")
    return tuple(metadata["shape"])


def _chunk(path: Place) -> int:
    return Layout.from_metadata(read_metadata(path / "train" / "images")).rows


def identity(train: Arrays, test: Arrays, *, like: DatasetInfo | None = None) -> str:
    """The digest that a store of this content has, of the same format as another one or of the one it would get."""
    groups = {"train": train, "test": test}
    if like.is_chunked if like else _format_for(train, test) == CHUNKED:
        digests = chunked_groups.write_groups(None, lambda found: {}, groups, lambda done: None)
    else:
        digests = {key: whole_arrays.digest(*arrays) for key, arrays in groups.items()}
    return _identity({key: {"digest": digest} for key, digest in digests.items()})


def _described_as(path: Place, digest: str) -> tuple[DatasetInfo, dict[str, str]]:
    info, digests = _described(path)
    if info.digest != digest:
        raise DataError(f"{path} holds data {info.digest[:12]}, not {digest[:12]} as expected")
    return info, digests


def _check_labels(info: DatasetInfo, labels: Any) -> None:
    if labels.size and labels.max() >= info.classes:
        raise DataError(
            f"the metadata of {info.path} are damaged: {info.classes} classes, but labels up to {labels.max()}"
        )


def _format_for(train: Arrays, test: Arrays) -> str:
    return CHUNKED if train[0].nbytes + test[0].nbytes > CHUNKED_FROM else WHOLE


def _identity(facts: dict[str, Any]) -> str:
    return sha256("/".join(f"{key}:{facts[key]['digest']}" for key in GROUPS).encode()).hexdigest()
