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
from zarr.codecs import Crc32cCodec, ZstdCodec
from zarr.storage import MemoryStore

from service.data.buffers import blocks
from service.data.formats.base import Arrays
from service.errors import DataError

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


def read_array(path: Path) -> NDArray[np.uint8]:
    """An array, not checked yet. Raises DataError where a chunk is missing or can't be unpacked."""
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
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{where} is damaged: {reason}") from None


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
    return path.joinpath("c", *map(str, block))
