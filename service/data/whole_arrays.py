"""The arrays of a small store: they are written, read and checked whole."""

from collections.abc import Iterator
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.buffer import Buffer
from zarr.buffer import default_buffer_prototype
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from service.data.buffers import blocks
from service.data.formats.base import Arrays
from service.data.store_files import read_file, read_in_order
from service.errors import DataError, NotFound
from service.storage import Address, Place, objects_at

CHUNK = 2000
"""Images a chunk at most: 1.6 MB of 28x28."""
CHUNK_BYTES = 64 << 20
"""The most that a chunk holds; large images come in chunks of fewer. A codec's buffer ends short of 2 GiB."""
WRITE_BYTES = 64 << 20
"""About how much is encoded at a time; all of it is in memory."""


def write_groups(folder: Path, attributes: dict[str, Any], groups: dict[str, Arrays]) -> None:
    """Write the images and labels of each group, and what the store says of itself."""
    encoded: dict[str, Buffer] = {}
    root = zarr.create_group(MemoryStore(encoded), attributes=attributes)
    for key, (images, labels) in groups.items():
        group = root.create_group(key)
        for array_name, array in (("images", images), ("labels", labels)):
            for _ in _encode(group, array_name, array):
                _write(encoded, folder)


def read_array(place: Place) -> NDArray[np.uint8]:
    """An array, not checked yet. Raises DataError where a chunk is missing or can't be unpacked."""
    return _read_folder(place) if isinstance(place, Path) else _read_bucket(place)


def check_files(place: Place) -> None:
    """Raise DataError where a chunk of an array isn't there."""
    there = objects_at(place).sizes()
    for block in np.ndindex(_metadata_array(place, {}).cdata_shape):
        if _chunk_name(block) not in there:
            raise DataError(f"{place}/{_chunk_name(block)} is missing")


def _metadata_array(place: Place, content: dict[str, Buffer]) -> Any:
    """The array that a place's metadata describe, with its chunks in memory."""
    content["zarr.json"] = default_buffer_prototype().buffer.from_bytes(read_file(place, "zarr.json"))
    try:
        return zarr.open_array(MemoryStore(content), mode="r")
    except Exception as error:  # Zarr raises what it likes on metadata that aren't its own
        raise DataError(f"the metadata of {place} are damaged: {_reason(error)}") from None


def _read_bucket(place: Address) -> NDArray[np.uint8]:
    """The chunks are unpacked one by one, while the next ones are on their way."""
    content: dict[str, Buffer] = {}
    array, objects = _metadata_array(place, content), objects_at(place, patient=True)
    blocks = list(np.ndindex(array.cdata_shape))
    result = np.empty(array.shape, np.uint8)

    def read(block: tuple[int, ...]) -> bytes:
        try:
            return objects.read(_chunk_name(block))
        except NotFound:
            raise DataError(f"{place}/{_chunk_name(block)} is missing") from None

    for block, packed in zip(blocks, read_in_order(read, blocks, objects.concurrency), strict=True):
        content[_chunk_name(block)] = default_buffer_prototype().buffer.from_bytes(packed)
        try:
            rows = array.get_block_selection(block)
        except Exception as error:  # a codec raises what it likes on bytes that aren't its own
            raise DataError(f"{place}/{_chunk_name(block)} is damaged: {_reason(error)}") from None
        del content[_chunk_name(block)]
        result[block[0] * array.chunks[0] :][: len(rows)] = rows
    return result


def _read_folder(path: Path) -> NDArray[np.uint8]:
    where = path
    try:
        array = zarr.open_array(path, mode="r")
        positions = list(np.ndindex(array.cdata_shape))
        for block in positions:
            if not _chunk_file(path, block).is_file():
                raise DataError(f"{_chunk_file(path, block)} is missing")
        try:
            return np.ascontiguousarray(array[...])
        except Exception:
            for block in positions:
                where = _chunk_file(path, block)
                array.get_block_selection(block)
            where = path
            raise
    except DataError:
        raise
    except Exception as error:  # a codec raises what it likes on bytes that aren't its own
        raise DataError(f"{where} is damaged: {_reason(error)}") from None


def digest(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> str:
    """The SHA-256 of a group: of both shapes, the images and the labels."""
    content = sha256(repr((images.shape, labels.shape)).encode())
    for array in (images, labels):
        for block in blocks(array):
            content.update(np.ascontiguousarray(array[block]).data)
    return content.hexdigest()


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


def _chunk_file(path: Path, block: tuple[int, ...]) -> Path:
    return path / _chunk_name(block)


def _chunk_name(block: tuple[int, ...]) -> str:
    return "/".join(["c", *map(str, block)])


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
