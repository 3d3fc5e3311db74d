"""a folder of pictures

Each class is a folder of its own, `CLASS/*`, or `train/CLASS/*` and `test/CLASS/*`. Folders within a class count to
it; hidden files and files of other kinds are left out. Where there is `train`, `val` and no `test`, `val` is the test.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from errno import EINVAL
from functools import partial
from itertools import islice
from pathlib import Path

from service.data.formats.base import Examples, Reading
from service.data.formats.picture_files import SAMPLE, Picture, Pictures, read_pictures
from service.data.formats.texts import texts_in
from service.errors import DataError

ENDINGS = frozenset((".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".gif", ".webp", ".bmp", ".tif", ".tiff"))
TRAIN = ("train", "training")
TEST = ("test", "testing")
VALIDATION = ("val", "valid", "validation", "dev")

MAX_LOOKED_AT = 20_000
"""Entries that are looked at to find out whether a folder has pictures."""


def recognizes(source: Path) -> bool:
    """Whether a folder has a picture in one of its folders."""
    return any(path.parent != source for path in islice(_walk(source), MAX_LOOKED_AT) if _is_picture(path))


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a folder. Raises DataError where it has no classes, or its pictures can't be used."""
    try:
        root = _descend(source)
        train, test = _splits(root, reading)
        examples = read_pictures(_pictures(train), _pictures(test) if test else None, reading)
    except OSError as error:
        raise DataError(f"{error.filename or source} can't be read: {error.strerror or error}") from None
    card, licence = texts_in(root)
    return replace(examples, card=card, licence=licence)


Files = list[tuple[Path, str]]
"""Pictures, each with its class."""


def _splits(root: Path, reading: Reading) -> tuple[Files, Files]:
    """The pictures to train on and to test with; none of these where the folder has no such split."""
    train, test, validation = (_split_of(root, names) for names in (TRAIN, TEST, VALIDATION))
    if train is None:
        if test is not None:
            raise DataError(f"{root} has a folder {test.name!r}, but none named 'train'")
        return _classes(root, reading), []
    files = _classes(train, reading)
    if test is None:
        return files, _classes(validation, reading) if validation else []
    if validation is not None:
        reading.say(f"pictures in {validation} are trained on, since there is a folder {test.name!r} too")
        files += _classes(validation, reading)
    return files, _classes(test, reading)


def _classes(folder: Path, reading: Reading) -> Files:
    """The pictures of the classes of one split, sorted."""
    files: Files = []
    others = 0
    for part in _folders(folder):
        found = sorted(_walk(part))
        pictures = [path for path in found if _is_picture(path)]
        others += len(found) - len(pictures)
        if not pictures:
            reading.say(f"{part} has no pictures, and is no class")
        files += [(path, part.name) for path in pictures]
    loose = [entry for entry in folder.iterdir() if _is_picture(entry)]
    if not files:
        where = f": its {len(loose)} pictures lie in no class's folder" if loose else ""
        raise DataError(f"{folder} has no folders with pictures, one for each class{where}")
    if loose or others:
        reading.say(f"left out in {folder}: {len(loose)} pictures without a class, {others} files that are no pictures")
    for _, name in files:
        if not _is_text(name):
            raise DataError(f"the name of the folder {name!r} in {folder} is no text in UTF-8")
    return files


def _pictures(files: Files) -> Pictures:
    def each(step: int) -> Iterator[Picture]:
        return (Picture(str(path), name, partial(_content, path)) for path, name in files[::step])

    return Pictures(len(files), lambda: each(1), lambda: each(-(-len(files) // SAMPLE)))


def _content(path: Path) -> bytes:
    """The bytes of a file. A pipe that is named like a picture would keep its reader waiting for ever."""
    if path.exists() and not path.is_file():
        raise OSError(EINVAL, "it is no file", str(path))
    return path.read_bytes()


def _descend(folder: Path) -> Path:
    """The folder below those that hold nothing but one folder, as archives have them."""
    while len(inside := _folders(folder)) == 1 and len(_folders(inside[0])) > 0:
        is_split = inside[0].name.lower() in (*TRAIN, *TEST, *VALIDATION)
        if is_split or any(_is_picture(entry) for entry in folder.iterdir()):
            break
        folder = inside[0]
    return folder


def _walk(folder: Path) -> Iterator[Path]:
    for where, folders, names in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(name for name in folders if not _is_hidden(name))
        yield from (Path(where, name) for name in names if not _is_hidden(name))


def _refuse(error: OSError) -> None:
    """`os.walk` would leave a folder out that can't be read."""
    raise error


def _folders(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if entry.is_dir() and not _is_hidden(entry.name))


def _split_of(root: Path, names: tuple[str, ...]) -> Path | None:
    """The folder of a split, under any of its names. Raises DataError where there are several."""
    found = [part for part in _folders(root) if part.name.lower() in names]
    if len(found) > 1:
        raise DataError(f"{root} has several folders for one split: {', '.join(part.name for part in found)}")
    return found[0] if found else None


def _is_hidden(name: str) -> bool:
    return name.startswith(".") or name == "__MACOSX"


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in ENDINGS and not _is_hidden(path.name)


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
