"""The Zarr store of a data set: bytes as they came, with the digests that say so.

    <name>.zarr/  attributes: format, name, digest, class_names, groups {name: {count, digest}}, about
        train/images (N, 28, 28) uint8, in colour (N, 3, 32, 32)    train/labels (N,) uint8
        test/images                                                 test/labels

Zarr reads a chunk whose file is missing as zeros, without a word. So nothing that is read is believed before its
digest is right; the digests of the groups stand in the attributes, and the data set's digest is made from them. A small
store is read and checked whole (`whole_arrays`), a large one by chunks with digests of their own (`chunked_groups`).
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np

from service.data import buffers, chunked_groups, whole_arrays
from service.data.about import About
from service.data.channels import Channels
from service.data.chunked_groups import ChunkedGroup
from service.data.formats.base import Arrays
from service.data.shards import Layout, chunk_rows
from service.errors import DataError
from service.files import new_folder

Group = Literal["train", "test"]

WHOLE, CHUNKED = "atelier-images-1", "atelier-images-2"
"""The formats of a store that is read whole, and of one that is read by chunks."""

CHUNKED_FROM = 256 << 20
"""Bytes of images from which on a new store is a chunked one."""

GROUPS: tuple[Group, Group] = ("train", "test")


@dataclass(frozen=True)
class DatasetInfo:
    """What a store holds, without its pixels.

    digest: the identity of the data, one SHA-256 over all images and labels and their shapes.
    train, test: numbers of examples. image_shape: (h, w) in pixels. channels: 1, or 3 in colour.
    chunk: images of a chunk that has a digest of its own, so that it can be read by itself; 0 in a small store.
    statistics: means and deviations of the training images' channels; empty in stores of before.
    """

    path: Path
    name: str
    digest: str
    train: int
    test: int
    image_shape: tuple[int, int]
    classes: int
    class_names: tuple[str, ...]
    channels: int = 1
    chunk: int = 0
    statistics: Channels = field(default_factory=Channels)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one example."""
        return (self.channels, *self.image_shape)

    @property
    def image_bytes(self) -> int:
        """What one image takes."""
        return prod(self.input_shape)

    @property
    def is_chunked(self) -> bool:
        """Whether it can be read in part."""
        return self.chunk > 0

    @property
    def chunk_size(self) -> int:
        """How many images a chunk has; of a small store, how many it would have."""
        return self.chunk or chunk_rows(self.input_shape, chunked_groups.CHUNK_BYTES)


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
            "channels": Channels.of_parts(train[0][rows] for rows in buffers.blocks(train[0])).to_attributes(),
            **({"about": about.to_attributes()} if about else {}),
        }

    with new_folder(path) as draft:
        if format_ == CHUNKED:
            chunked_groups.write_groups(draft, attributes, groups, note)
        else:
            digests = {key: whole_arrays.digest(*arrays) for key, arrays in groups.items()}
            whole_arrays.write_groups(draft, attributes(digests), groups)
    return describe(path)


def describe(path: Path) -> DatasetInfo:
    """What the store says of itself. Raises DataError where it is missing, not ours, or its metadata are damaged."""
    return _described(path)[0]


def _described(path: Path) -> tuple[DatasetInfo, dict[str, str]]:
    """What the store says of itself, and the digests of its groups."""
    try:
        if not path.is_dir():
            raise DataError(f"there is no store at {path}: run `atelier ingest` first")
        attributes = _metadata(path)["attributes"]
        if attributes["format"] not in (WHOLE, CHUNKED):
            raise DataError(f"{path} is of format {attributes['format']!r}, expected {WHOLE!r} or {CHUNKED!r}")
        facts, names = attributes["groups"], attributes["class_names"]
        *channels, height, width = _shape(path / "train" / "images")[1:]
        if channels not in ([], [3]):
            raise ValueError(f"images have {channels} channels")
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
            statistics=Channels.from_attributes(attributes.get("channels"), channels[0] if channels else 1),
        )
        return info, {key: facts[key]["digest"] for key in GROUPS}
    except OSError as error:
        raise DataError(f"{error.filename or path} can't be read: {error.strerror or error}") from None
    except KeyError as error:
        raise DataError(f"the metadata of {path} are damaged: {error} is missing") from None
    except (ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"the metadata of {path} are damaged: {error}") from None


def read(path: Path, group: Group, digest: str) -> Arrays:
    """Images (N, h, w) or (N, 3, h, w) and labels (N,) uint8 of one group of the data set with that digest, checked.

    Raises DataError where the store holds other data, or a chunk is missing or damaged.
    """
    info, expected = _described_as(path, digest)
    if info.is_chunked:
        chunks = ChunkedGroup(path / group, expected[group])
        images, labels = chunks.images.read_all(), chunks.labels.read_all()
    else:
        images, labels = (whole_arrays.read_array(path / group / name) for name in chunked_groups.NAMES)
        if whole_arrays.digest(images, labels) != expected[group]:
            raise DataError(f"{path / group} is damaged: its content doesn't have the digest in zarr.json")
    _check_labels(info, labels)
    return images, labels


def open_chunks(path: Path, group: Group, digest: str) -> ChunkedGroup:
    """One group of the chunked data set with that digest. Raises DataError where the store holds other data."""
    return ChunkedGroup(path / group, _described_as(path, digest)[1][group])


def blocks(path: Path, group: Group, digest: str) -> Iterator[Arrays]:
    """The examples of a group, checked, one part after another; a small store comes in one part. Raises DataError."""
    if describe(path).is_chunked:
        yield from open_chunks(path, group, digest).blocks()
    else:
        yield read(path, group, digest)


def label_counts(path: Path, group: Group) -> tuple[int, ...]:
    """How many examples of each class a group has: for people, since only `read` checks what it reads.

    Raises DataError where the labels can't be read.
    """
    info, digests = _described(path)
    if info.is_chunked:
        labels = ChunkedGroup(path / group, digests[group]).labels
        parts: Iterator[Any] = (labels.read(chunk) for chunk in range(labels.layout.chunks))
    else:
        parts = iter([whole_arrays.read_array(path / group / "labels")])
    counts = np.zeros(info.classes, np.int64)
    for part in parts:
        _check_labels(info, part)
        counts += np.bincount(part, minlength=info.classes)
    return tuple(counts.tolist())


def read_about(path: Path) -> About:
    """What the store at `path` says of its data. Raises DataError where it can't be read."""
    describe(path)
    return About.from_attributes(_metadata(path)["attributes"].get("about") or {})


def verify(path: Path) -> DatasetInfo:
    """Read everything once. Raises DataError where anything is wrong."""
    info = describe(path)
    for group in GROUPS:
        for _, labels in blocks(path, group, info.digest):
            _check_labels(info, labels)
    return info


def check_files(path: Path) -> DatasetInfo:
    """Read all of a small store; of a large one, only make sure that its files are there. Raises DataError."""
    info, digests = _described(path)
    if not info.is_chunked:
        return verify(path)
    for group in GROUPS:
        ChunkedGroup(path / group, digests[group]).check_files()
    return info


def _metadata(path: Path) -> Any:
    return json.loads((path / "zarr.json").read_text(encoding="utf-8"))


def _shape(path: Path) -> tuple[int, ...]:
    """The shape of an array of bytes, as its own metadata have it."""
    metadata = _metadata(path)
    if metadata["data_type"] != "uint8":
        raise ValueError(f"{path} holds {metadata['data_type']}, expected uint8")
    return tuple(metadata["shape"])


def _chunk(path: Path) -> int:
    return Layout.from_metadata(_metadata(path / "train" / "images")).rows


def identity(train: Arrays, test: Arrays, *, like: DatasetInfo | None = None) -> str:
    """The digest that a store of this content has, of the same format as another one or of the one it would get."""
    groups = {"train": train, "test": test}
    if like.is_chunked if like else _format_for(train, test) == CHUNKED:
        digests = chunked_groups.write_groups(None, lambda found: {}, groups, lambda done: None)
    else:
        digests = {key: whole_arrays.digest(*arrays) for key, arrays in groups.items()}
    return _identity({key: {"digest": digest} for key, digest in digests.items()})


def _described_as(path: Path, digest: str) -> tuple[DatasetInfo, dict[str, str]]:
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
