"""IDX files, the format of MNIST and its relatives: a magic number, big-endian sizes, then the bytes.

    00 00 08 nn | size 1 … size nn, 4 bytes each | the data, one unsigned byte each

08 says "unsigned bytes", the only type these data sets use; nn is 3 for images and 1 for labels.
"""

import gzip
import zlib
from dataclasses import dataclass
from hashlib import sha256
from math import prod
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from service.errors import DataError

MAX_BYTES = 4 << 30
"""The most that one file may hold, decompressed."""


@dataclass(frozen=True)
class IdxFile:
    """What an IDX file holds. digest: SHA-256 of the whole decompressed file."""

    array: NDArray[np.uint8]
    digest: str


def read_images(path: Path) -> IdxFile:
    """An array (N, h, w) uint8 from an image file, gzip or plain. Raises DataError for anything else."""
    return _read(path, axes=3, what="images")


def read_labels(path: Path) -> IdxFile:
    """An array (N,) uint8 from a label file, gzip or plain. Raises DataError for anything else."""
    return _read(path, axes=1, what="labels")


def _read(path: Path, *, axes: int, what: str) -> IdxFile:
    content = _decompressed(path)
    header = 4 + 4 * axes
    magic = bytes((0, 0, 8, axes))
    if len(content) < header:
        raise DataError(f"{path} is too short: {len(content)} bytes, the header alone has {header}")
    if content[:4] != magic:
        raise DataError(f"{path} is not an IDX file of {what}: it begins with {content[:4].hex()}, not {magic.hex()}")
    shape = tuple(int(size) for size in np.frombuffer(content, ">u4", axes, 4))
    if prod(shape) > MAX_BYTES:
        raise DataError(f"{path} says it holds {shape}, more than {MAX_BYTES} bytes")
    if len(content) != header + prod(shape):
        raise DataError(
            f"{path} has the wrong length: {shape} takes {header + prod(shape)} bytes, the file has {len(content)}"
        )
    array = np.frombuffer(content, np.uint8, prod(shape), header).reshape(shape)
    return IdxFile(array, sha256(content).hexdigest())


def _decompressed(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"
        with gzip.open(path) if packed else path.open("rb") as file:
            content: bytes = file.read(MAX_BYTES + 1)
    except FileNotFoundError:
        raise DataError(f"{path} is missing") from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{path} is damaged: {error}") from None
    except OSError as error:
        raise DataError(f"{path} can't be read: {error.strerror or error}") from None
    if len(content) > MAX_BYTES:
        raise DataError(f"{path} is larger than {MAX_BYTES} bytes when decompressed")
    return content
