"""CIFAR's binary files

Records of one label byte (CIFAR-10) or two (CIFAR-100, the coarse label first) and 3 x 32 x 32 bytes, planes of red,
green and blue (Krizhevsky, https://www.cs.toronto.edu/~kriz/cifar.html).
"""

from pathlib import Path

import numpy as np

from service.data.formats.base import Arrays, Examples, Reading
from service.data.formats.resizing import as_asked
from service.data.labels import name_classes
from service.errors import DataError

PIXELS = 3 * 32 * 32
MAX_BYTES = 1 << 30
"""What a file may hold; CIFAR's hold up to 154 MB."""

LAYOUTS = (
    # label bytes, files to train on, files to test with, names of the classes
    (1, "data_batch_*.bin", "test_batch.bin", "batches.meta.txt"),
    (2, "train.bin", "test.bin", "fine_label_names.txt"),
)


def recognizes(source: Path) -> bool:
    """Whether a folder has the files."""
    return source.is_dir() and any(any(source.glob(train)) for _, train, _, _ in LAYOUTS)


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a folder. Raises DataError where a file is missing or has another length."""
    label_bytes, train, test, meta = next(layout for layout in LAYOUTS if any(source.glob(layout[1])))
    if not (source / test).is_file():
        raise DataError(f"{source / test} is missing")
    groups = [_records(sorted(source.glob(train)), label_bytes), _records([source / test], label_bytes)]
    names = _names(source / meta)
    classes, test_classes, class_names = name_classes(groups[0][1], groups[1][1], names)
    assert test_classes is not None
    return as_asked(Examples((groups[0][0], classes), (groups[1][0], test_classes), class_names), reading)


def _records(files: list[Path], label_bytes: int) -> Arrays:
    size = label_bytes + PIXELS
    parts = []
    for file in files:
        try:
            if file.stat().st_size > MAX_BYTES:
                raise DataError(f"{file} holds more than {MAX_BYTES:,} bytes")
            content = file.read_bytes()
        except OSError as error:
            raise DataError(f"{file} can't be read: {error.strerror or error}") from None
        if not content or len(content) % size:
            raise DataError(f"{file} has the wrong length: {len(content):,} bytes are no whole records of {size:,}")
        parts.append(np.frombuffer(content, np.uint8).reshape(-1, size))
    records = np.concatenate(parts)
    images = np.ascontiguousarray(records[:, label_bytes:]).reshape(-1, 3, 32, 32)
    return images, records[:, label_bytes - 1].copy()


def _names(file: Path) -> tuple[str, ...]:
    try:
        return tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, ValueError):
        return ()
