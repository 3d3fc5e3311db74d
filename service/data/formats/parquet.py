"""Parquet files with a column of pictures

As the Hugging Face Hub keeps data sets: a file, or a folder (with `data/` or without) of files whose names begin with
their split. A picture is bytes, or a struct with `bytes`; a label is a number, whose names the file's metadata may
hold, or text. Reading takes pyarrow: `pip install 'atelier-train[parquet]'`.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from service.data.formats.base import Examples, Reading
from service.data.formats.picture_files import SAMPLE, Picture, Pictures, read_pictures
from service.data.formats.texts import texts_in
from service.errors import AtelierError, DataError, InvalidInput

IMAGES = ("image", "img", "picture", "png", "jpg")
LABELS = ("label", "labels", "fine_label", "class", "target")
TEST = ("test", "validation", "valid", "val")
ROWS = 256
"""Rows that are read at a time."""

MAX_ROWS = 50_000_000


def recognizes(source: Path) -> bool:
    """Whether a file is Parquet, or a folder has such files."""
    files = _files(source)
    try:
        return bool(files) and all(_starts(file) == b"PAR1" for file in files[:1])
    except OSError:
        return False


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a file or folder. Raises DataError for other tables, InvalidInput where pyarrow is missing."""
    files = _files(source)
    train, test = _splits(files)
    if not train:
        raise DataError(f"{source} has a split {files[0].name!r}, but none named 'train'")
    with _errors_as_data_errors(source):
        tables = {file: _Table(file) for file in files}
        names = _class_names([tables[file] for file in train])
        examples = read_pictures(
            _pictures([tables[file] for file in train]),
            _pictures([tables[file] for file in test]) if test else None,
            reading,
            names,
        )
    card, licence = texts_in(source) if source.is_dir() else ("", "")
    return replace(examples, card=card, licence=licence)


class _Table:
    """One file: which of its columns are pictures and labels. Raises DataError where that can't be told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = _pyarrow_parquet().ParquetFile(path)
        self.schema = self._file.schema_arrow
        self.rows: int = self._file.metadata.num_rows
        if self.rows > MAX_ROWS:
            raise DataError(f"{path} says it has {self.rows:,} rows, more than {MAX_ROWS:,}")
        self.image = self._column(IMAGES, "pictures")
        self.label = self._column(LABELS, "labels")

    def pictures(self) -> Iterator[Picture]:
        """Each row."""
        number = 0
        for batch in self._file.iter_batches(ROWS, columns=[self.image, self.label]):
            for image, label in zip(batch.column(0).to_pylist(), batch.column(1).to_pylist(), strict=True):
                if not isinstance(label, int | str):
                    raise DataError(f"{self.path}, row {number}: the label must be a number or text, got {label!r}")
                yield Picture(f"{self.path}, row {number}", label, partial(_bytes, image))
                number += 1

    def class_names(self) -> tuple[str, ...]:
        """The names of numbers, as `datasets` writes them to the metadata of a file."""
        try:
            described = json.loads((self.schema.metadata or {})[b"huggingface"])
            names = described["info"]["features"][self.label]["names"]
        except (KeyError, ValueError, TypeError):
            return ()
        if isinstance(names, dict):
            names = names.get("class_label", {})
        return tuple(map(str, names)) if isinstance(names, list) else ()

    def _column(self, known: tuple[str, ...], what: str) -> str:
        columns: list[str] = self.schema.names
        for name in known:
            if name in columns:
                return name
        raise DataError(
            f"{self.path} has no column of {what}: it would be named {', '.join(known)}; there are {', '.join(columns)}"
        )


def _pictures(tables: list[_Table]) -> Pictures:
    def each() -> Iterator[Picture]:
        return (picture for table in tables for picture in table.pictures())

    return Pictures(sum(table.rows for table in tables), each, lambda: islice(each(), SAMPLE))


def _bytes(image: Any) -> bytes:
    content = image.get("bytes") if isinstance(image, dict) else image
    if not isinstance(content, bytes):
        raise InvalidInput("the row holds no picture")
    return content


def _class_names(tables: list[_Table]) -> tuple[str, ...]:
    return next((names for table in tables if (names := table.class_names())), ())


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source] if source.suffix == ".parquet" else []
    folders = (source, source / "data") if source.is_dir() else ()
    return next((files for folder in folders if (files := sorted(folder.glob("*.parquet")))), [])


def _splits(files: list[Path]) -> tuple[list[Path], list[Path]]:
    """The files to train on and to test with. Of several splits that are no training the first of `TEST` is taken."""
    by_split = {
        split: [file for file in files if file.name.lower().replace("_", "-").split("-")[0].split(".")[0] == split]
        for split in ("train", *TEST)
    }
    test = next((by_split[split] for split in TEST if by_split[split]), [])
    if by_split["train"]:
        return by_split["train"], test
    return ([], files) if test else (files, [])


def _starts(file: Path) -> bytes:
    with file.open("rb") as opened:
        return opened.read(4)


def _pyarrow_parquet() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise InvalidInput("Parquet needs pyarrow: pip install 'atelier-train[parquet]'") from None
    return pyarrow.parquet


@contextmanager
def _errors_as_data_errors(source: Path) -> Iterator[None]:
    try:
        yield
    except AtelierError:
        raise
    except OSError as error:
        if type(error) is not OSError:
            raise DataError(f"{source} can't be read: {error.strerror or error}") from None
        raise DataError(f"{source} is damaged: {' '.join(str(error).split())}") from None
    except Exception as error:  # pyarrow has errors of its own, which need it to be named
        if not type(error).__module__.startswith("pyarrow"):
            raise
        raise DataError(f"{source} is damaged: {' '.join(str(error).split())}") from None
