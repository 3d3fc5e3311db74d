"""The Zarr store of a data set: bytes as they came, with the digests that say so.

    <name>.zarr/  attributes: format, name, digest, class_names, groups {name: {count, digest}}, about
        train/images (N, 28, 28) uint8, in colour (N, 3, 32, 32)    train/labels (N,) uint8
        test/images                                                 test/labels

Zarr reads a chunk whose file is missing as zeros, without a word. So nothing that is read is believed before its
digest is right; the digests of the groups stand in the attributes, and the data set's digest is made from them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from service.data.about import About
from service.data.formats.base import Arrays
from service.errors import DataError
from service.files import new_folder

Group = Literal["train", "test"]

FORMAT = "atelier-images-1"
CHUNK = 2000
"""Images a chunk at most: 1.6 MB of 28x28."""
CHUNK_BYTES = 64 << 20
"""The most that a chunk holds; large images come in chunks of fewer. A codec's buffer ends short of 2 GiB."""
WRITE_BYTES = 64 << 20
"""About how much is encoded at a time; all of it is in memory."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a store holds, without its pixels.

    digest: the identity of the data, one SHA-256 over all images and labels and their shapes.
    train, test: numbers of examples. image_shape: (h, w) in pixels. channels: 1, or 3 in colour.
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

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one example."""
        return (self.channels, *self.image_shape)


def build(
    path: Path, name: str, class_names: tuple[str, ...], train: Arrays, test: Arrays, about: About | None = None
) -> DatasetInfo:
    """Write a store beside `path` and rename it into place. Raises FileExistsError where there is one by then."""
    groups = {"train": train, "test": test}
    facts: dict[str, Any] = {
        key: {"count": len(labels), "digest": _digest(images, labels)} for key, (images, labels) in groups.items()
    }
    attributes = {
        "format": FORMAT,
        "name": name,
        "digest": _identity(facts),
        "class_names": list(class_names),
        "groups": facts,
        **({"about": about.to_attributes()} if about else {}),
    }
    encoded: dict[str, Buffer] = {}
    root = zarr.create_group(MemoryStore(encoded), attributes=attributes)
    with new_folder(path) as draft:
        for key, (images, labels) in groups.items():
            group = root.create_group(key)
            for array_name, array in (("images", images), ("labels", labels)):
                for _ in _encode(group, array_name, array):
                    _write(encoded, draft)
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
        if attributes["format"] != FORMAT:
            raise DataError(f"{path} is of format {attributes['format']!r}, expected {FORMAT!r}")
        facts, names = attributes["groups"], attributes["class_names"]
        *channels, height, width = _shape(path / "train" / "images")[1:]
        if channels not in ([], [3]):
            raise ValueError(f"images have {channels} channels")
        for key in ("train", "test"):
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
        )
        return info, {key: facts[key]["digest"] for key in ("train", "test")}
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
    info, expected = _described(path)
    if info.digest != digest:
        raise DataError(f"{path} holds data {info.digest[:12]}, not {digest[:12]} as expected")
    images, labels = _read(path / group / "images"), _read(path / group / "labels")
    if _digest(images, labels) != expected[group]:
        raise DataError(f"{path / group} is damaged: its content doesn't have the digest in zarr.json")
    if labels.size and labels.max() >= info.classes:
        raise DataError(f"the metadata of {path} are damaged: {info.classes} classes, but labels up to {labels.max()}")
    return images, labels


def label_counts(path: Path, group: Group) -> tuple[int, ...]:
    """How many examples of each class a group has: for people, since only `read` checks what it reads.

    Raises DataError where the labels can't be read.
    """
    info, labels = describe(path), _read(path / group / "labels")
    return tuple(np.bincount(labels, minlength=info.classes).tolist())


def read_about(path: Path) -> About:
    """What the store at `path` says of its data. Raises DataError where it can't be read."""
    describe(path)
    return About.from_attributes(_metadata(path)["attributes"].get("about") or {})


def verify(path: Path) -> DatasetInfo:
    """Read everything once. Raises DataError where anything is wrong."""
    info = describe(path)
    read(path, "train", info.digest)
    read(path, "test", info.digest)
    return info


def _write(encoded: dict[str, Buffer], folder: Path) -> None:
    """Write the files one after another, and forget the chunks.

    Zarr's own threads go on for a while after one has failed: they would put files back into a folder being removed.
    """
    for key in list(encoded):
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(encoded[key].to_bytes())
        if target.name != "zarr.json":  # Zarr would make up groups that it doesn't find
            del encoded[key]


def _encode(group: Any, name: str, array: NDArray[np.uint8]) -> Iterator[None]:
    """Encode an array a few chunks at a time, each time when the next step is asked for."""
    most = 20 * CHUNK if array.ndim == 1 else min(CHUNK, max(1, CHUNK_BYTES // prod(array.shape[1:])))
    chunk = min(most, max(len(array), 1))
    target = group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=(chunk, *array.shape[1:]),
        compressors=[ZstdCodec(level=5), Crc32cCodec()],
        config={"write_empty_chunks": True},
    )
    yield
    rows = chunk * max(1, WRITE_BYTES // max(1, chunk * prod(array.shape[1:])))
    for start in range(0, len(array), rows):
        target[start : start + rows] = array[start : start + rows]
        yield


def _read(path: Path) -> NDArray[np.uint8]:
    where = path
    try:
        array = zarr.open_array(path, mode="r")
        blocks = list(np.ndindex(array.cdata_shape))
        for block in blocks:
            if not _chunk_file(path, block).is_file():
                raise DataError(f"{_chunk_file(path, block)} is missing")
        try:
            return np.ascontiguousarray(array[...])
        except Exception:
            for block in blocks:
                where = _chunk_file(path, block)
                array.get_block_selection(block)
            where = path
            raise
    except DataError:
        raise
    except Exception as error:  # a codec raises what it likes on bytes that aren't its own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where} is damaged: {reason}") from None


def _chunk_file(path: Path, block: tuple[int, ...]) -> Path:
    return path.joinpath("c", *map(str, block))


def _metadata(path: Path) -> Any:
    return json.loads((path / "zarr.json").read_text(encoding="utf-8"))


def _shape(path: Path) -> tuple[int, ...]:
    """The shape of an array of bytes, as its own metadata have it."""
    metadata = _metadata(path)
    if metadata["data_type"] != "uint8":
        raise ValueError(f"{path} holds {metadata['data_type']}, expected uint8")
    return tuple(metadata["shape"])


def identity(train: Arrays, test: Arrays) -> str:
    """The digest that a store of this content has."""
    return _identity({"train": {"digest": _digest(*train)}, "test": {"digest": _digest(*test)}})


def _digest(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    content = sha256(repr((images.shape, labels.shape)).encode())
    content.update(np.ascontiguousarray(images).data)
    content.update(np.ascontiguousarray(labels).data)
    return content.hexdigest()


def _identity(facts: dict[str, Any]) -> str:
    return sha256("/".join(f"{key}:{facts[key]['digest']}" for key in ("train", "test")).encode()).hexdigest()
