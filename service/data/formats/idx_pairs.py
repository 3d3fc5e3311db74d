"""IDX files of any names

Files of images and of labels that are named alike, as EMNIST's are: `emnist-letters-train-images-idx3-ubyte.gz` and
`emnist-letters-train-labels-idx1-ubyte.gz`. The source is their folder, or, where that has several data sets, one of
the files. EMNIST's images are transposed: `--transpose` puts them upright.
"""

import gzip
import re
import zlib
from dataclasses import dataclass, field
from pathlib import Path

from service.data.formats.base import Arrays, Examples, Reading
from service.data.formats.idx import read_images, read_labels
from service.data.formats.resizing import as_asked
from service.data.labels import name_classes
from service.errors import DataError

IMAGES, LABELS = bytes((0, 0, 8, 3)), bytes((0, 0, 8, 1))
SPLITS = {"train": "train", "training": "train", "test": "test", "t10k": "test", "testing": "test"}
NO_WORDS = frozenset(("images", "image", "labels", "label", "idx1", "idx3", "idx", "ubyte", "gz", "ubyte1", "ubyte3"))
MAX_FILES = 200
"""Files of a folder that are looked into."""


@dataclass
class _Pair:
    """Files of images and of labels that are named alike."""

    images: list[Path] = field(default_factory=list)
    labels: list[Path] = field(default_factory=list)


DataSets = dict[str, dict[str, _Pair]]
"""Pairs by the name of the data set and by split: train, test, or nothing."""


def recognizes(source: Path) -> bool:
    """Whether a file is such, or a folder has a file of images and one of labels."""
    try:
        if source.is_file():
            return _kind(source) != b""
        pairs = [pair for splits in _data_sets(source).values() for pair in splits.values()]
    except OSError:
        return False
    return any(pair.images and pair.labels for pair in pairs)


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a data set. Raises DataError where files are missing, damaged, or of several data sets."""
    folder = source.parent if source.is_file() else source
    name = _words(source)[0] if source.is_file() else None
    found = _data_sets(folder, name)
    name = next(iter(found)) if name is None else name
    if source.is_dir() and len(found) > 1:
        raise DataError(
            f"{folder} has the IDX files of several data sets ({', '.join(sorted(found))}): name one of the files"
        )
    splits = found[name]
    train = splits.get("train", splits.get(""))
    if train is None:
        raise DataError(f"{folder} has no IDX files to train on: 'train' in their names would say so")
    images, labels = _arrays(folder, train, reading)
    tested = _arrays(folder, splits["test"], reading) if "test" in splits else None
    classes, test_classes, names = name_classes(labels, None if tested is None else tested[1], _names(folder, name))
    test = None if tested is None or test_classes is None else (tested[0], test_classes)
    return as_asked(Examples((images, classes), test, names), reading)


def _arrays(folder: Path, pair: _Pair, reading: Reading) -> Arrays:
    if len(pair.images) != 1 or len(pair.labels) != 1:
        names = ", ".join(path.name for path in (*pair.images, *pair.labels))
        raise DataError(f"{folder} must have one file of images and one of labels of each split, got {names}")
    (image_file,), (label_file,) = pair.images, pair.labels
    images, labels = read_images(image_file, reading.scratch).array, read_labels(label_file, reading.scratch).array
    if len(images) != len(labels):
        raise DataError(f"{image_file} has {len(images)} images, but {label_file} {len(labels)} labels")
    if not images.size:
        raise DataError(f"{image_file} has no images")
    return images, labels


def _data_sets(folder: Path, wanted: str | None = None) -> DataSets:
    """The data sets of a folder, or the one of a name."""
    found: DataSets = {}
    files = sorted(path for path in folder.iterdir() if path.is_file() and wanted in (None, _words(path)[0]))
    for path in files[:MAX_FILES]:
        kind = _kind(path)
        if kind:
            name, split = _words(path)
            pair = found.setdefault(name, {}).setdefault(split, _Pair())
            (pair.images if kind == IMAGES else pair.labels).append(path)
    return found


def _words(path: Path) -> tuple[str, str]:
    """The name of the data set and of the split that a file's name holds."""
    words = [word for word in re.split(r"[^a-z0-9]+", path.name.lower()) if word and word not in NO_WORDS]
    split = next((SPLITS[word] for word in words if word in SPLITS), "")
    return "-".join(word for word in words if word not in SPLITS), split


def _kind(path: Path) -> bytes:
    """The first bytes of an IDX file of images or labels, compressed or not; empty for any other."""
    try:
        with path.open("rb") as file:
            start = file.read(4)
        if start[:2] == b"\x1f\x8b":
            with gzip.open(path) as unpacked:
                start = unpacked.read(4)
    except (OSError, EOFError, zlib.error):
        return b""
    return start if start in (IMAGES, LABELS) else b""


def _names(folder: Path, name: str) -> tuple[str, ...]:
    """The characters of EMNIST's labels, from its file `…-mapping.txt`: lines of a label and codes."""
    try:
        text = (folder / f"{name}-mapping.txt").read_text(encoding="ascii")
        lines = [line.split() for line in text.splitlines() if line.strip()]
        names = {int(line[0]): chr(int(line[1])) for line in lines}
    except (OSError, ValueError, IndexError, OverflowError):
        return ()
    if not names or max(names) > 255 or min(names) < 0:
        return ()
    return tuple(names.get(label, str(label)) for label in range(max(names) + 1))
