"""CSV files of labels and pixels

One example a line, `label,pixel,pixel,…`, with a header or without; a file, or a folder with `train.csv` and
`test.csv`. The delimiter is a comma, a semicolon, a tab or blanks; any file may be compressed with gzip.
"""

import csv
import gzip
import zlib
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from math import isqrt
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from service.data.formats.base import Examples, Reading
from service.data.formats.pixel_arrays import as_images
from service.data.formats.resizing import as_asked
from service.data.labels import name_classes
from service.errors import DataError

ENDINGS = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
LABELS = ("label", "labels", "class", "target", "y", "category")
DELIMITERS = (",", ";", "\t", " ")
LEAST_COLUMNS = 5
"""A label and 2x2 pixels."""

LINES = 2000
"""Lines that are read at a time."""

MAX_LINE = 1 << 24
"""Characters of a line."""

MAX_BYTES = 16 << 30
"""What the pixels of a file may take, as float32."""

Table = tuple[NDArray[np.generic], NDArray[np.float32]]
"""Labels (N,), numbers or names, and pixels (N, columns)."""


def recognizes(source: Path) -> bool:
    """Whether a file, or one in a folder, has the ending and enough columns."""
    files = _files(source)
    return bool(files) and all(_has_columns(file) for file in files.values())


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a file or folder. Raises DataError for lines that aren't a label and pixels of a square."""
    files = _files(source)
    train = _table(files["train"])
    test = _table(files["test"]) if "test" in files else None
    if test is not None and test[1].shape[1] != train[1].shape[1]:
        if test[1].shape[1] != train[1].shape[1] - 1:
            raise DataError(
                f"{files['test']} has {test[1].shape[1]} pixels a line, {files['train']} {train[1].shape[1]}"
            )
        reading.say(f"{files['test']} has no labels, and is left out")
        test = None
    classes, test_classes, names = name_classes(train[0], None if test is None else test[0])
    images = as_images(f"{files['train']}: images", _square(files["train"], train[1]), reading)
    tested = None
    if test is not None and test_classes is not None:
        tested = as_images(f"{files['test']}: images", _square(files["test"], test[1]), reading), test_classes
    return as_asked(Examples((images, classes), tested, names), reading)


def _files(source: Path) -> dict[str, Path]:
    """`train` and, if there is one, `test`."""
    if source.is_file():
        return {"train": source} if source.name.lower().endswith(ENDINGS) else {}
    if not source.is_dir():
        return {}
    found = sorted(path for path in source.iterdir() if path.name.lower().endswith(ENDINGS) and path.is_file())
    groups = {split: [path for path in found if split in path.name.lower()] for split in ("train", "test")}
    if len(groups["train"]) == 1 and len(groups["test"]) <= 1:
        return {split: paths[0] for split, paths in groups.items() if paths}
    return {"train": found[0]} if len(found) == 1 else {}


def _has_columns(file: Path) -> bool:
    try:
        with _opened(file) as lines:
            first = lines.readline(MAX_LINE)
    except Exception:  # no text, or no gzip
        return False
    return any(first.count(delimiter) >= LEAST_COLUMNS - 1 for delimiter in DELIMITERS)


@dataclass(frozen=True)
class _Layout:
    """How the lines of a file are made. label: the column of the label."""

    delimiter: str
    columns: int
    label: int
    has_header: bool

    @classmethod
    def of(cls, line: str) -> "_Layout":
        delimiter = max(DELIMITERS, key=line.count)
        cells = [cell.strip().lower() for cell in _cells(line, delimiter)]
        named = [number for number, cell in enumerate(cells) if cell in LABELS]
        numbers = [cell for cell in cells if _is_number(cell)]
        is_counted = any(numbers == [str(at + start) for at in range(len(numbers))] for start in (0, 1))
        has_header = len(numbers) < len(cells) - 1 or (bool(named) and is_counted)  # pandas numbers columns
        texts = [number for number, cell in enumerate(cells) if not _is_number(cell)]
        label = (named[0] if named else 0) if has_header else (texts[0] if texts else 0)
        return cls(delimiter, len(cells), label, has_header)


def _table(file: Path) -> Table:
    try:
        with _opened(file) as lines:
            return _rows(file, lines)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{file} can't be read: {reason}") from None
    except UnicodeDecodeError:
        raise DataError(f"{file} is no text in UTF-8") from None
    except csv.Error as error:
        raise DataError(f"{file} is no CSV: {error}") from None


def _rows(file: Path, lines: IO[str]) -> Table:
    first = lines.readline(MAX_LINE)
    layout = _Layout.of(first)
    rest = iter(partial(lines.readline, MAX_LINE), "")
    numbered = enumerate(chain([] if layout.has_header else [first], rest), 2 if layout.has_header else 1)
    rows = ((number, _whole(file, number, line)) for number, line in numbered if line.strip())
    labels: list[str] = []
    blocks: list[NDArray[np.float32]] = []
    while block := list(islice(rows, LINES)):
        cells = [(number, _cells(line, layout.delimiter)) for number, line in block]
        for number, row in cells:
            if len(row) != layout.columns:
                raise DataError(f"{file}, line {number}: {len(row)} columns, expected {layout.columns}")
            labels.append(row.pop(layout.label).strip())
            if not labels[-1]:
                raise DataError(f"{file}, line {number}: there is no label")
        blocks.append(_numbers(file, cells))
        if 4 * len(labels) * (layout.columns - 1) > MAX_BYTES:
            raise DataError(f"{file} has more than {MAX_BYTES // 4:,} pixels")
    if not blocks:
        raise DataError(f"{file} has no examples")
    return _labels(labels), np.concatenate(blocks)


def _whole(file: Path, number: int, line: str) -> str:
    """A line as it was read. Raises DataError for the beginning of one that is too long."""
    if len(line) == MAX_LINE:
        raise DataError(f"{file}, line {number}: more than {MAX_LINE:,} characters")
    return line


def _cells(line: str, delimiter: str) -> list[str]:
    """What stands between the delimiters; one within quotes belongs to a name."""
    line = line.strip()
    return next(csv.reader([line], delimiter=delimiter)) if '"' in line else line.split(delimiter)


def _numbers(file: Path, cells: list[tuple[int, list[str]]]) -> NDArray[np.float32]:
    try:
        return np.array([row for _, row in cells], dtype=np.float32)
    except ValueError:
        for number, row in cells:
            for cell in row:
                if not _is_number(cell):
                    raise DataError(f"{file}, line {number}: {cell[:20]!r} is no number") from None
        raise


def _labels(labels: list[str]) -> NDArray[np.generic]:
    """Whole numbers where all labels are such, else names."""
    try:
        numbers = np.array(labels, np.float64)
    except ValueError:
        return np.array(labels)
    return numbers.astype(np.int64) if (numbers == np.rint(numbers)).all() else np.array(labels)


def _square(file: Path, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    side = isqrt(pixels.shape[1])
    if side * side != pixels.shape[1]:
        raise DataError(
            f"{file} has {pixels.shape[1]} pixels a line, and they make no square: a folder of pictures or an .npz "
            "file says what shape images have"
        )
    return pixels.reshape(-1, side, side)


def _opened(file: Path) -> IO[str]:
    return gzip.open(file, "rt", encoding="utf-8-sig") if file.suffix == ".gz" else file.open(encoding="utf-8-sig")


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True
