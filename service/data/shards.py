"""Arrays of bytes in Zarr's shards: an object holds many chunks, each packed by itself, and at its end an index.

    c/0/0/0 | chunk 0 | chunk 1 | … | where each begins and how long it is, uint64 | crc32c of the index

It is the layout of Zarr v3's codec `sharding_indexed`, and every Zarr library reads it. It is written and read here
without one, because a chunk is then unpacked to where it is needed, checked there, and never copied.
"""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import google_crc32c
import numpy as np
from numcodecs.zstd import Zstd
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.codecs import ZstdCodec
from zarr.storage import MemoryStore

from service.data.buffers import drop_pages
from service.data.store_files import read_in_order
from service.errors import DataError, NotFound
from service.storage import Place, objects_at

Bytes = NDArray[np.uint8]

LEVEL = -3
"""Of zstd. Level 1 packs a tenth smaller, and takes twice as long to unpack."""

EMPTY = 2**64 - 1
"""What an index has for a chunk that isn't there."""

DIGEST_BYTES = 32


@dataclass(frozen=True)
class Layout:
    """How an array is cut.

    Attributes:
        shape: of the array; it is cut along the first axis.
        rows: how many a chunk has; the last one of the array may have fewer.
        per_shard: how many chunks an object holds.
    """

    shape: tuple[int, ...]
    rows: int
    per_shard: int

    @classmethod
    def from_metadata(cls, metadata: Any) -> "Layout":
        """What an array's `zarr.json` says. Raises ValueError, KeyError or TypeError for what isn't written here."""
        shape, grid = tuple(metadata["shape"]), metadata["chunk_grid"]["configuration"]["chunk_shape"]
        (sharding,) = metadata["codecs"]
        chunk = sharding["configuration"]["chunk_shape"]
        if metadata["data_type"] != "uint8" or sharding["name"] != "sharding_indexed":
            raise ValueError("an array is no bytes in shards")
        names = [codec["name"] for codec in sharding["configuration"]["codecs"]]
        whole = tuple(grid[1:]) == tuple(chunk[1:]) == shape[1:]
        if names != ["bytes", "zstd"] or not whole or chunk[0] < 1 or grid[0] % chunk[0] or grid[0] < chunk[0]:
            raise ValueError("an array is cut or packed in another way")
        return cls(shape, int(chunk[0]), int(grid[0]) // int(chunk[0]))

    @property
    def chunks(self) -> int:
        """How many chunks there are."""
        return -(-self.shape[0] // self.rows)

    @property
    def index_bytes(self) -> int:
        """What the index of an object takes, with its checksum."""
        return 16 * self.per_shard + 4

    def span(self, chunk: int) -> slice:
        """The rows of a chunk."""
        return slice(chunk * self.rows, min((chunk + 1) * self.rows, self.shape[0]))

    def object_of(self, chunk: int) -> tuple[str, int]:
        """The name of the object that holds a chunk, and the chunk's place in it."""
        shard, place = divmod(chunk, self.per_shard)
        return "/".join(["c", str(shard), *("0" for _ in self.shape[1:])]), place


def create_array(root: Any, name: str, layout: Layout) -> None:
    """Put the metadata of an array into a Zarr group that lies in memory."""
    root.create_array(
        name,
        shape=layout.shape,
        dtype=np.uint8,
        chunks=(layout.rows, *layout.shape[1:]),
        shards=(layout.rows * layout.per_shard, *layout.shape[1:]),
        compressors=[ZstdCodec(level=LEVEL)],
    )


def write_metadata(root: Callable[[MemoryStore], Any], folder: Path) -> None:
    """Write the metadata that `root` puts into a store in memory."""
    content: dict[str, Buffer] = {}
    root(MemoryStore(content))
    for key, value in content.items():
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(value.to_bytes())


def write_array(array: Bytes, layout: Layout, folder: Path | None, note: Callable[[int], object]) -> Bytes:
    """Write the objects of an array, a chunk at a time.

    Args:
        array: what to write; it may be a file that is mapped into memory.
        layout: how it is cut.
        folder: of the array; None writes nothing, and only computes the digests.
        note: is told how many bytes more are done.

    Returns:
        The SHA-256 of each chunk's rows (chunks, 32).
    """
    packer, digests = Zstd(level=LEVEL), np.empty((layout.chunks, DIGEST_BYTES), np.uint8)
    for first in range(0, layout.chunks, layout.per_shard):
        index, at = np.full((layout.per_shard, 2), EMPTY, "<u8"), 0
        with _new_object(folder, layout.object_of(first)[0]) as file:
            for chunk in range(first, min(first + layout.per_shard, layout.chunks)):
                rows = np.ascontiguousarray(array[layout.span(chunk)])
                digests[chunk] = np.frombuffer(sha256(rows.data).digest(), np.uint8)
                if file is not None:
                    packed = packer.encode(_padded(rows, layout))
                    file.write(packed)
                    index[chunk - first] = at, len(packed)
                    at += len(packed)
                note(rows.nbytes)
                drop_pages(array, layout.span(chunk))
            if file is not None:
                content = index.tobytes()
                file.write(content + google_crc32c.value(content).to_bytes(4, "little"))
    return digests


class ShardedArray:
    """Reads chunks of an array, each checked against its digest. Threads may use it at once.

    Attributes:
        layout: how the array is cut.
        folder: where it lies.
    """

    def __init__(self, folder: Place, layout: Layout, digests: Bytes) -> None:
        """Read nothing yet.

        Args:
            folder: of the array.
            layout: how it is cut.
            digests: the SHA-256 of each chunk (chunks, 32), known to be right.
        """
        self.layout = layout
        self.folder = folder
        self._digests = digests
        self._objects = objects_at(folder, patient=True)
        self._indices: dict[str, NDArray[np.uint64]] = {}

    @property
    def concurrency(self) -> int:
        """How many chunks are best read at a time."""
        return self._objects.concurrency

    def read_into(self, chunk: int, rows: Bytes) -> None:
        """Unpack a chunk into contiguous rows of its size.

        Raises:
            DataError: with the chunk's name, where it is missing or damaged.
            StorageError: the storage that it lies in can't be reached.
        """
        name, place = self.layout.object_of(chunk)
        path = f"{self.folder}/{name}"
        try:
            packed = self._packed(name, place)
            if len(rows) == self.layout.rows:
                Zstd().decode(packed, rows.reshape(-1))
            else:
                rows[:] = self._decoded(packed)[: len(rows)]
        except NotFound:
            raise DataError(f"{path} is missing, and with it {self._name(chunk)}") from None
        except OSError as error:
            raise DataError(f"{path} can't be read: {error.strerror or error}") from None
        except (ValueError, RuntimeError) as error:
            raise DataError(f"{path} is damaged in {self._name(chunk)}: {error}") from None
        self._check(path, chunk, rows)

    def read(self, chunk: int) -> Bytes:
        """A chunk as an array of its own. Raises DataError."""
        span = self.layout.span(chunk)
        rows = np.empty((span.stop - span.start, *self.layout.shape[1:]), np.uint8)
        self.read_into(chunk, rows)
        return rows

    def read_each(self) -> Iterator[Bytes]:
        """Every chunk as an array of its own, in order. Raises DataError."""
        return read_in_order(self.read, range(self.layout.chunks), self.concurrency)

    def read_all(self) -> Bytes:
        """The whole array. Raises DataError."""
        array = np.empty(self.layout.shape, np.uint8)

        def read(chunk: int) -> None:
            self.read_into(chunk, array[self.layout.span(chunk)])

        for _ in read_in_order(read, range(self.layout.chunks), self.concurrency):
            pass
        return array

    def _check(self, path: str, chunk: int, rows: Bytes) -> None:
        found = np.frombuffer(sha256(rows.data).digest(), np.uint8)
        if np.array_equal(found, self._digests[chunk]):
            return
        others = np.flatnonzero((self._digests == found).all(axis=1))
        holds = f"it holds {self._name(int(others[0]))}" if len(others) else "its content doesn't have its digest"
        raise DataError(f"{path} is damaged in {self._name(chunk)}: {holds}")

    def _name(self, chunk: int) -> str:
        span = self.layout.span(chunk)
        return f"chunk {chunk} (rows {span.start} to {span.stop - 1})"

    def _packed(self, name: str, place: int) -> bytes:
        if name not in self._indices:
            self._indices[name] = self._index(name)
        start, length = map(int, self._indices[name][place])
        if start == EMPTY:
            raise ValueError("it is missing")
        packed = self._objects.read_range(name, start, length)
        if len(packed) != length:
            raise ValueError("the file ends before it")
        return packed

    def _index(self, name: str) -> NDArray[np.uint64]:
        content, size = self._objects.read_end(name, self.layout.index_bytes)
        if len(content) < self.layout.index_bytes:
            raise ValueError("the file is too short for its index")
        if google_crc32c.value(content[:-4]) != int.from_bytes(content[-4:], "little"):
            raise ValueError("the index at the end of the file isn't whole")
        index = np.frombuffer(content[:-4], "<u8").reshape(-1, 2)
        there = index[index[:, 0] != EMPTY]
        if len(there) and (there > size).any():
            raise ValueError("the index leads out of the file")
        return index

    def _decoded(self, packed: bytes) -> Bytes:
        whole = np.empty((self.layout.rows, *self.layout.shape[1:]), np.uint8)
        Zstd().decode(packed, whole.reshape(-1))
        return whole


def chunk_rows(shape: tuple[int, ...], chunk_bytes: int) -> int:
    """How many examples of a shape, without the first axis, fill a chunk; one at least."""
    return max(1, chunk_bytes // max(1, prod(shape)))


def _new_object(folder: Path | None, name: str) -> Any:
    if folder is None:
        return nullcontext(None)
    target = folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("wb")


def _padded(rows: Bytes, layout: Layout) -> Bytes:
    """A chunk in full length, as Zarr has it: zeros behind the array's end."""
    if len(rows) == layout.rows:
        return rows
    whole = np.zeros((layout.rows, *layout.shape[1:]), np.uint8)
    whole[: len(rows)] = rows
    return whole
