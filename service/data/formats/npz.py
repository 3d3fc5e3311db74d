"""an .npz file of NumPy

Arrays of images and labels, as Keras (`x_train`), MedMNIST (`train_images`) and people (`images`, `labels`) name them.
"""

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
from numpy.lib.format import read_array_header_1_0, read_array_header_2_0, read_magic
from numpy.typing import NDArray

from service.data.buffers import IN_MEMORY, allocate, drop_pages
from service.data.formats import archive as archives
from service.data.formats.base import Arrays, Examples, Reading
from service.data.formats.pixel_arrays import as_images
from service.data.formats.resizing import as_asked
from service.data.labels import name_classes
from service.errors import DataError

IMAGES = ("x", "images", "image", "data", "pixels", "imgs")
LABELS = ("y", "labels", "label", "targets", "target", "classes")
TRAIN, TEST, VALIDATION = ("train", "training"), ("test", "testing", "t10k"), ("val", "valid", "validation")

CLASS_NAMES = ("class_names", "label_names")


def _spellings(kinds: tuple[str, ...], splits: tuple[str, ...]) -> list[str]:
    """The names that an array of one of these kinds may have, those that are in use most first."""
    pairs = [(kind, split) for kind in kinds for split in splits]
    return [name.strip("_") for kind, split in pairs for name in (f"{kind}_{split}", f"{split}_{kind}")]


USED = frozenset((*_spellings((*IMAGES, *LABELS), (*TRAIN, *TEST, *VALIDATION, "")), *CLASS_NAMES))
"""The names, in lower case, of the arrays that are looked at: others aren't unpacked."""

Named = tuple[NDArray[np.generic], NDArray[np.generic]]


def recognizes(source: Path) -> bool:
    """Whether a file has the ending, and is the archive that such a file is."""
    return source.suffix.lower() == ".npz" and source.is_file()


def read(source: Path, reading: Reading) -> Examples:
    """The examples of a file. Raises DataError for arrays that aren't images and labels."""
    try:
        arrays = _load(source, reading.scratch)
    except DataError:
        raise
    except Exception as error:  # zipfile, zlib and NumPy each raise their own
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source} is not an .npz file that can be read: {reason}") from None
    train, test, validation = (_group(arrays, splits) for splits in (TRAIN, TEST, VALIDATION))
    train = train or _group(arrays, ("",))
    if train is None:
        there = ", ".join(_array_names(source)) or "(none)"
        raise DataError(
            f"{source} has the arrays {there}: named x_train, y_train, x_test and y_test they would be understood, and "
            "images and labels too"
        )
    test = test or validation
    names = _names(arrays)
    labels, test_labels = _labels(source, train[1]), None if test is None else _labels(source, test[1])
    classes, test_classes, class_names = name_classes(labels, test_labels, names)
    tested: Arrays | None = None
    if test is not None and test_classes is not None:
        tested = as_images(f"{source}: test images", test[0], reading), test_classes
    return as_asked(
        Examples((as_images(f"{source}: training images", train[0], reading), classes), tested, class_names), reading
    )


def _array_names(source: Path) -> list[str]:
    with zipfile.ZipFile(source) as archive:
        return [name.removesuffix(".npy") for name in archive.namelist()]


def _load(source: Path, scratch: Path) -> dict[str, NDArray[np.generic]]:
    with zipfile.ZipFile(source) as archive:
        used = [info for info in archive.infolist() if info.filename.removesuffix(".npy").lower() in USED]
        total = sum(info.file_size for info in used)
        limit = max(archives.FREE_BYTES, archives.MAX_RATIO * source.stat().st_size)
        if total > limit:
            raise DataError(f"{source} holds more than {limit:,} bytes, unpacked")
        large = [info.filename for info in used if info.file_size > IN_MEMORY]
        mapped: dict[str, NDArray[np.generic] | None] = {
            name.removesuffix(".npy"): _unpacked(archive.open(name), scratch) for name in large
        }
    with np.load(source, allow_pickle=False) as file:
        arrays = {name: mapped.get(name) for name in file.files if name.lower() in USED}
        return {name: file[name] if array is None else array for name, array in arrays.items()}


def _unpacked(member: IO[bytes], scratch: Path) -> NDArray[np.generic] | None:
    """A large array of bytes as a file that is mapped into memory; None for one of another kind."""
    with member:
        read_header = {(1, 0): read_array_header_1_0, (2, 0): read_array_header_2_0}.get(read_magic(member))
        if read_header is None:
            return None
        shape, fortran, dtype = read_header(member)
        if dtype != np.uint8 or fortran or len(shape) < 3:
            return None
        array = allocate(shape, scratch)
        flat, at = array.reshape(-1), 0
        while content := member.read(1 << 20):
            flat[at : at + len(content)] = np.frombuffer(content, np.uint8)
            drop_pages(flat, slice(at, at + len(content)))
            at += len(content)
        if at != flat.size:
            raise ValueError("an array is cut short")
    return array


def _group(arrays: Mapping[str, NDArray[np.generic]], splits: tuple[str, ...]) -> Named | None:
    """The images and labels of a split, under any of the names that are in use."""
    lowered = {name.lower(): array for name, array in arrays.items()}

    def first(kinds: tuple[str, ...]) -> NDArray[np.generic] | None:
        return next((lowered[name] for name in _spellings(kinds, splits) if name in lowered), None)

    images, labels = first(IMAGES), first(LABELS)
    return None if images is None or labels is None else (images, labels)


def _names(arrays: Mapping[str, NDArray[np.generic]]) -> tuple[str, ...]:
    found = next((arrays[name] for name in CLASS_NAMES if name in arrays), None)
    return () if found is None or found.dtype.kind != "U" or found.ndim != 1 else tuple(map(str, found))


def _labels(source: Path, labels: NDArray[np.generic]) -> NDArray[np.generic]:
    """Labels (N,) from such, from (N, 1), or from one-hot rows."""
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == 2 and labels.dtype.kind in "iubf" and np.isin(labels, (0, 1)).all():
        if not (labels.sum(axis=1) == 1).all():
            raise DataError(f"{source} has examples of several classes or of none")
        labels = labels.argmax(axis=1)
    whole = labels.dtype.kind == "f" and bool((np.isfinite(labels) & (labels == np.rint(labels))).all())
    if whole:
        labels = labels.astype(np.int64)
    if labels.ndim != 1 or labels.dtype.kind not in "iubU":
        raise DataError(f"{source}: labels must be numbers or names (N,), got {labels.shape} {labels.dtype}")
    return labels.astype(np.int64) if labels.dtype.kind in "iub" else labels
