"""The groups of a large store: each chunk has a digest of its own, so that a reader checks what it reads and no more.

    train/images        (N, …) in shards of chunks (`service.data.shards`)    train/labels        (N,)
    train/image_digests (chunks, 32) uint8, the SHA-256 of each chunk         train/label_digests

A group's digest is made from its shapes, its chunks' sizes and their digests, and stands in the store's attributes.
"""

from collections.abc import Callable, Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.storage import MemoryStore

from service.data.formats.base import Arrays
from service.data.shards import (
    DIGEST_BYTES,
    Layout,
    ShardedArray,
    chunk_rows,
    create_array,
    write_array,
    write_metadata,
)
from service.data.store_files import read_file, read_metadata
from service.errors import DataError
from service.storage import Place, objects_at

CHUNK_BYTES = 1 << 20
"""What a chunk of images holds at most, unless a single image takes more. Shuffles by windows depend on it."""

CHUNKS_PER_SHARD = 128
LABELS = 1 << 20
"""Labels a chunk."""

NAMES = ("images", "labels")

Note = Callable[[int], object]


def layouts(images: tuple[int, ...]) -> tuple[Layout, Layout]:
    """How images of a shape, and their labels, are cut."""
    rows = chunk_rows(images[1:], CHUNK_BYTES)
    return Layout(images, rows, CHUNKS_PER_SHARD), Layout(images[:1], LABELS, CHUNKS_PER_SHARD)


def write_groups(
    folder: Path | None, attributes: Callable[[dict[str, str]], dict[str, Any]], groups: dict[str, Arrays], note: Note
) -> dict[str, str]:
    """Write the groups chunk by chunk.

    Args:
        folder: of the store; None only computes the digests.
        attributes: what the store says of itself, given the digests of the groups.
        groups: images and labels by the group's name.
        note: is told how many bytes more are done.

    Returns:
        The digests of the groups.
    """
    found: dict[str, tuple[NDArray[np.uint8], ...]] = {}
    for key, arrays in groups.items():
        found[key] = tuple(
            write_array(array, layout, folder / key / name if folder else None, note)
            for name, array, layout in zip(NAMES, arrays, layouts(arrays[0].shape), strict=True)
        )
    digests = {key: group_digest(layouts(groups[key][0].shape), each) for key, each in found.items()}
    if folder is not None:
        write_metadata(lambda store: _describe(store, attributes(digests), groups), folder)
        for key, each in found.items():
            for name, chunk_digests in zip(NAMES, each, strict=True):
                (folder / key / _digests_of(name) / "c" / "0").mkdir(parents=True)
                (folder / key / _digests_of(name) / "c" / "0" / "0").write_bytes(chunk_digests.tobytes())
    return digests


def group_digest(layouts: tuple[Layout, ...], digests: tuple[NDArray[np.uint8], ...]) -> str:
    """The SHA-256 of a group, from how its arrays are cut and their chunks' digests."""
    content = sha256(repr([(layout.shape, layout.rows) for layout in layouts]).encode())
    for each in digests:
        content.update(np.ascontiguousarray(each).data)
    return content.hexdigest()


class ChunkedGroup:
    """One group of a large store, read by chunks.

    Attributes:
        images: its images.
        labels: its labels.
    """

    def __init__(self, path: Place, digest: str) -> None:
        """Read how the group is cut, and its chunks' digests.

        Args:
            path: of the group.
            digest: of the group, as the store's attributes have it.

        Raises:
            DataError: they are missing or damaged.
        """
        found, digests = [], []
        for name in NAMES:
            layout = _read_layout(path / name)
            found.append(layout)
            digests.append(_read_digests(path / _digests_of(name), layout.chunks))
        if group_digest(tuple(found), tuple(digests)) != digest:
            raise DataError(f"{path} is damaged: the digests of its chunks don't have the digest in zarr.json")
        self.images, self.labels = (
            ShardedArray(path / name, layout, each) for name, layout, each in zip(NAMES, found, digests, strict=True)
        )

    def blocks(self) -> Iterator[Arrays]:
        """All examples, a chunk of images at a time. Raises DataError where one is missing or damaged."""
        labels = self.labels.read_all()
        spans = map(self.images.layout.span, range(self.images.layout.chunks))
        for images, span in zip(self.images.read_each(), spans, strict=True):
            yield images, labels[span]

    def check_files(self) -> None:
        """Raise DataError where a file isn't there; what is in them is checked when it is read."""
        for array in (self.images, self.labels):
            there = objects_at(array.folder).sizes()
            for first in range(0, array.layout.chunks, array.layout.per_shard):
                name, _ = array.layout.object_of(first)
                if name not in there:
                    raise DataError(f"{array.folder}/{name} is missing")


def _read_layout(path: Place) -> Layout:
    try:
        return Layout.from_metadata(read_metadata(path))
    except (KeyError, ValueError, TypeError, AttributeError, IndexError) as error:
        raise DataError(f"the metadata of {path} are damaged: {error}") from None


def _describe(store: MemoryStore, attributes: dict[str, Any], groups: dict[str, Arrays]) -> None:
    root = zarr.create_group(store, attributes=attributes)
    for key, (images, _) in groups.items():
        group = root.create_group(key)
        for name, layout in zip(NAMES, layouts(images.shape), strict=True):
            create_array(group, name, layout)
            shape = (layout.chunks, DIGEST_BYTES)
            group.create_array(_digests_of(name), shape=shape, chunks=shape, dtype=np.uint8, compressors=None)


def _digests_of(name: str) -> str:
    return f"{name.removesuffix('s')}_digests"


def _read_digests(path: Place, chunks: int) -> NDArray[np.uint8]:
    content = np.frombuffer(read_file(path, "c/0/0"), np.uint8)
    if content.size != chunks * DIGEST_BYTES:
        raise DataError(f"{path}/c/0/0 is damaged: it should have {DIGEST_BYTES} bytes for each of {chunks} chunks")
    return content.reshape(chunks, DIGEST_BYTES)
