"""IDX files, the format of MNIST and its relatives: a magic number, big-endian sizes, then the bytes.

    00 00 08 nn | size 1 … size nn, 4 bytes each | the data, one unsigned byte each

08 says "unsigned bytes", the only type these data sets use; nn is 3 for images and 1 for labels.
"""

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from service.data.buffers import BLOCK, IN_MEMORY, allocate, drop_pages
from service.errors import DataError

MOST_PACKED = 1100
"""No gzip file holds more than about 1,032 times its own size. No room is made for more."""


@dataclass(frozen=True)
class IdxFile:
    """What an IDX file holds. digest: SHA-256 of the whole decompressed file."""

    array: NDArray[np.uint8]
    digest: str


def read_images(path: Path, scratch: Path | None = None) -> IdxFile:
    """An array (N, h, w) uint8 from an image file, gzip or plain. Raises DataError for anything else.

    A large one isn't taken into memory: it stays in its file, or in one below `scratch` where that is packed.
    """
    return _read(path, scratch, axes=3, what="images")


def read_labels(path: Path, scratch: Path | None = None) -> IdxFile:
    """An array (N,) uint8 from a label file, gzip or plain. Raises DataError for anything else."""
    return _read(path, scratch, axes=1, what="labels")


def _read(path: Path, scratch: Path | None, *, axes: int, what: str) -> IdxFile:
    size, magic = 4 + 4 * axes, bytes((0, 0, 8, axes))
    with _opened(path) as file:
        header = file.read(size)
        if len(header) < size:
            raise DataError(f"{path} is too short: {len(header)} bytes, the header alone has {size}")
        if header[:4] != magic:
            raise DataError(
                f"{path} is not an IDX file of {what}: it begins with {header[:4].hex()}, not {magic.hex()}"
            )
        shape = tuple(int(length) for length in np.frombuffer(header, ">u4", axes, 4))
        length = prod(shape)
        if length > MOST_PACKED * path.stat().st_size:
            raise _wrong_length(path, shape, size, "has fewer")
        digest = sha256(header)
        mapped = length > IN_MEMORY and not isinstance(file, gzip.GzipFile)
        if mapped and size + length > path.stat().st_size:
            raise _wrong_length(path, shape, size, f"has {path.stat().st_size}")
        array = np.memmap(path, np.uint8, "r", size, shape) if mapped else allocate(shape, scratch or path.parent)
        read = _skip(file, length, digest) if mapped else _fill(file, array, digest)
        if read != length:
            raise _wrong_length(path, shape, size, f"has {size + read}")
        if file.read(1):
            raise _wrong_length(path, shape, size, "goes on")
    return IdxFile(array, digest.hexdigest())


def _fill(file: BinaryIO, array: NDArray[np.uint8], digest: Any) -> int:
    """Read an array's bytes. Returns how many there were."""
    flat, at = array.reshape(-1), 0
    while at < flat.size and (count := file.readinto(flat[at : at + BLOCK].data)):  # type: ignore[attr-defined]  # both files have it
        digest.update(flat[at : at + count].data)
        drop_pages(flat, slice(at, at + count))
        at += count
    return at


def _skip(file: BinaryIO, length: int, digest: Any) -> int:
    """Read so many bytes for their digest alone. Returns how many there were."""
    at = 0
    while at < length and (content := file.read(min(1 << 20, length - at))):
        digest.update(content)
        at += len(content)
    return at


def _wrong_length(path: Path, shape: tuple[int, ...], header: int, found: str) -> DataError:
    return DataError(f"{path} has the wrong length: {shape} takes {header + prod(shape)} bytes, the file {found}")


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """The decompressed bytes; what goes wrong in reading them becomes a DataError."""
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with cast(BinaryIO, gzip.open(path)) if packed else path.open("rb") as file:
            yield file
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from None
