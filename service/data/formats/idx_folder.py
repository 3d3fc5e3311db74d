"""a folder with the four IDX files of MNIST and its relatives"""

from collections.abc import Callable, Mapping
from pathlib import Path

from service.data.catalog import FILES
from service.data.formats.base import Arrays, Examples, Reading
from service.data.formats.idx import read_images, read_labels
from service.data.formats.resizing import as_asked
from service.data.labels import name_classes
from service.errors import DataError

Check = Callable[[str, Path, str], None]
"""Called with each file's name in `FILES`, its path, and the SHA-256 of its decompressed content."""


def recognizes(source: Path) -> bool:
    """Whether a folder has one of the four files at least."""
    return any(_spelled(source, name) for name in FILES)


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a folder; classes are named by their numbers. Raises DataError."""
    return as_asked(read_files(find_files(source), scratch=reading.scratch), reading)


def find_files(folder: Path) -> dict[str, Path]:
    """The four files under any of the names that are in use. Raises DataError where the folder lacks one."""
    try:
        if not folder.is_dir():
            raise DataError(f"{folder} is not a folder: one with the four IDX files is expected")
        found = {name: path for name in FILES if (path := _spelled(folder, name)) is not None}
    except OSError as error:
        raise DataError(f"{folder} can't be read: {error.strerror or error}") from None
    if missing := [name for name in FILES if name not in found]:
        raise DataError(f"{folder} lacks {', '.join(missing)} (each may end in .gz)")
    return found


def read_files(
    files: Mapping[str, Path],
    check: Check = lambda *_: None,
    class_names: tuple[str, ...] = (),
    scratch: Path | None = None,
) -> Examples:
    """The examples of four files.

    Args:
        files: where they are, by their names in `FILES`.
        check: may raise DataError for a file that isn't the one it should be.
        class_names: names for the labels; without any they are named by their numbers.
        scratch: a folder for what is too large for memory.

    Raises:
        DataError: a file is missing, damaged, or doesn't fit the others.
    """
    train, test = _group(files, "train", check, scratch), _group(files, "t10k", check, scratch)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DataError(
            f"{files[FILES[0]]} has images of {train[0].shape[1:]}, but {files[FILES[2]]} of {test[0].shape[1:]}"
        )
    if class_names:
        return Examples(train, test, class_names)
    labels, test_labels, names = name_classes(train[1], test[1])
    assert test_labels is not None
    return Examples((train[0], labels), (test[0], test_labels), names)


def _group(files: Mapping[str, Path], prefix: str, check: Check, scratch: Path | None) -> Arrays:
    image_name, label_name = (name for name in FILES if name.startswith(prefix))
    image_file, label_file = files[image_name], files[label_name]
    images, labels = read_images(image_file, scratch), read_labels(label_file, scratch)
    check(image_name, image_file, images.digest)
    check(label_name, label_file, labels.digest)
    if len(images.array) != len(labels.array):
        raise DataError(f"{image_file} has {len(images.array)} images, but {label_file} {len(labels.array)} labels")
    if not images.array.size:
        raise DataError(f"{image_file} has no images")
    return images.array, labels.array


def _spelled(folder: Path, name: str) -> Path | None:
    """`train-images-idx3-ubyte` or `train-images.idx3-ubyte`, plain or gzipped: the first that is there."""
    spellings = (plain + ending for plain in (name, name.replace("-idx", ".idx")) for ending in ("", ".gz"))
    return next((folder / spelling for spelling in spellings if (folder / spelling).is_file()), None)
