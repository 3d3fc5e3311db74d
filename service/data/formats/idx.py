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
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from service.errors import DataError

MAX_BYTES = 4 << 30
"""The most that one file may hold, decompressed. No more is ever taken into memory than the header says."""


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
        if prod(shape) > MAX_BYTES:
            raise DataError(f"{path} says it holds {shape}, more than {MAX_BYTES} bytes")
        content = file.read(prod(shape) + 1)
    if len(content) != prod(shape):
        found = f"has {size + len(content)}" if len(content) < prod(shape) else "goes on"
        raise DataError(f"{path} has the wrong length: {shape} takes {size + prod(shape)} bytes, the file {found}")
    digest = sha256(header)
    digest.update(content)
    return IdxFile(np.frombuffer(content, np.uint8).reshape(shape), digest.hexdigest())


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
