"""The Zarr store of a data set: bytes as they came, with the digests that say so.

    <name>.zarr/  attributes: format, name, digest, class_names, groups {name: {count, digest}}
        train/images (N, 28, 28) uint8    train/labels (N,) uint8
        test/images                       test/labels

Zarr reads a chunk whose file is missing as zeros, without a word. So nothing that is read is believed before its
digest is right; the digests of the groups stand in the attributes, and the data set's digest is made from them.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import ZstdCodec

from service.errors import DataError
from service.files import new_folder

Group = Literal["train", "test"]

FORMAT = "atelier-images-1"
CHUNK = 2000
"""Images a chunk: 1.6 MB of 28x28."""


@dataclass(frozen=True)
class DatasetInfo:
    """What a store holds, without its pixels.

    digest: the identity of the data, one SHA-256 over all images and labels and their shapes.
    train, test: numbers of examples. image_shape: (h, w) in pixels.
    """

    path: Path
    name: str
    digest: str
    train: int
    test: int
    image_shape: tuple[int, int]
    classes: int
    class_names: tuple[str, ...]


Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
"""Images (N, h, w) and labels (N,)."""


def build(path: Path, name: str, class_names: tuple[str, ...], train: Arrays, test: Arrays) -> DatasetInfo:
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
    }
    with new_folder(path) as draft:
        root = zarr.create_group(draft, attributes=attributes, overwrite=True)
        for key, (images, labels) in groups.items():
            group = root.create_group(key)
            _write(group, "images", images)
            _write(group, "labels", labels)
    return describe(path)


def describe(path: Path) -> DatasetInfo:
    """What the store says of itself. Raises DataError where it is missing, not ours, or its metadata are damaged."""
    if not path.is_dir():
        raise DataError(f"there is no store at {path}: run `atelier ingest` first")
    try:
        attributes = json.loads((path / "zarr.json").read_text())["attributes"]
        if attributes["format"] != FORMAT:
            raise DataError(f"{path} is of format {attributes['format']!r}, expected {FORMAT!r}")
        shape = json.loads((path / "train" / "images" / "zarr.json").read_text())["shape"]
        facts = attributes["groups"]
        info = DatasetInfo(
            path=path,
            name=attributes["name"],
            digest=attributes["digest"],
            train=facts["train"]["count"],
            test=facts["test"]["count"],
            image_shape=(shape[1], shape[2]),
            classes=len(attributes["class_names"]),
            class_names=tuple(attributes["class_names"]),
        )
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise DataError(f"the metadata of {path} are damaged: {type(error).__name__} {error}") from None
    if _identity(facts) != info.digest:
        raise DataError(f"the metadata of {path} are damaged: the digests in zarr.json don't agree")
    return info


def read(path: Path, group: Group, digest: str) -> Arrays:
    """Images (N, h, w) and labels (N,) uint8 of one group of the data set with that digest, checked byte for byte.

    Raises DataError where the store holds other data, or a chunk is missing or damaged.
    """
    info = describe(path)
    if info.digest != digest:
        raise DataError(f"{path} holds data {info.digest[:12]}, not {digest[:12]} as expected")
    images, labels = _read(path / group / "images"), _read(path / group / "labels")
    expected = json.loads((path / "zarr.json").read_text())["attributes"]["groups"][group]["digest"]
    if _digest(images, labels) != expected:
        raise DataError(f"{path / group} is damaged: its content doesn't have the digest in zarr.json")
    return images, labels


def verify(path: Path) -> DatasetInfo:
    """Read everything once. Raises DataError where anything is wrong."""
    info = describe(path)
    read(path, "train", info.digest)
    read(path, "test", info.digest)
    return info


def _write(group: Any, name: str, array: NDArray[np.uint8]) -> None:
    chunks = (min(CHUNK if array.ndim == 3 else 20 * CHUNK, max(len(array), 1)), *array.shape[1:])
    group.create_array(
        name,
        shape=array.shape,
        dtype=array.dtype,
        chunks=chunks,
        compressors=[ZstdCodec(level=5, checksum=True)],
        config={"write_empty_chunks": True},
    )[...] = array


def _read(path: Path) -> NDArray[np.uint8]:
    try:
        array = zarr.open_array(path, mode="r")
        for chunk in _chunk_files(array, path):
            if not chunk.is_file():
                raise DataError(f"{chunk} is missing")
        return np.ascontiguousarray(array[...])
    except DataError:
        raise
    except Exception as error:  # a codec raises what it likes on bytes that aren't its own
        raise DataError(f"{path} is damaged: {error}") from None


def _chunk_files(array: Any, path: Path) -> Iterator[Path]:
    for index in np.ndindex(array.cdata_shape):
        yield path.joinpath("c", *map(str, index))


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
