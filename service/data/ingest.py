"""From four IDX files to a store, whole or not at all."""

import shutil
from pathlib import Path

from service.data.catalog import FILES, KNOWN
from service.data.idx import IdxFile, read_images, read_labels
from service.data.sources import Say, find_files
from service.data.store import Arrays, DatasetInfo, build, identity, verify
from service.errors import Conflict, DataError
from service.home import Home


def ingest(
    home: Home, *, dataset: str = "fashion-mnist", source: Path | None = None, progress: Say = lambda message: None
) -> DatasetInfo:
    """Bring a data set into its store; one that is there and whole stays as it is, a damaged one is built anew.

    source: a folder with the four IDX files; None looks in the usual places (see `sources`).
    Raises InvalidInput or DataError where the files can't be had or aren't what they should be, and Conflict where
    the store holds other data under this name.
    """
    path = home.store(dataset)
    present = _whole(path, progress)
    if present is not None and source is None:
        return present
    files = find_files(home, dataset, source, progress)
    images, labels = _group(files, "train", dataset)
    test_images, test_labels = _group(files, "t10k", dataset)
    if images.shape[1:] != test_images.shape[1:]:
        raise DataError(
            f"{files[FILES[0]]} has images of {images.shape[1:]}, but {files[FILES[2]]} of {test_images.shape[1:]}"
        )
    train, test = (images, labels), (test_images, test_labels)
    if present is not None:
        return _same(present, identity(train, test))
    names = _class_names(dataset, 1 + int(max(labels.max(), test_labels.max())))
    progress(f"writing {path}")
    if path.exists():
        shutil.rmtree(path)
    try:
        return build(path, dataset, names, train, test)
    except FileExistsError:
        return _same(verify(path), identity(train, test))
    except OSError as error:
        raise DataError(f"{path} can't be written: {error.strerror or error}") from None


def _whole(path: Path, progress: Say) -> DatasetInfo | None:
    """The store that is there, if it is whole; a damaged one is reported and counts as none."""
    if not path.exists():
        return None
    try:
        return verify(path)
    except DataError as error:
        progress(f"building the store anew: {error}")
        return None


def _same(present: DatasetInfo, digest: str) -> DatasetInfo:
    if present.digest != digest:
        raise Conflict(f"{present.path} holds other data under this name: choose another with --dataset")
    return present


def _group(files: dict[str, Path], prefix: str, dataset: str) -> Arrays:
    """Images and labels of one group, checked against each other and, for a known data set, against its digests."""
    image_file, label_file = (files[name] for name in FILES if name.startswith(prefix))
    images, labels = read_images(image_file), read_labels(label_file)
    if dataset in KNOWN:
        _check_known(dataset, files, {image_file: images, label_file: labels})
    if len(images.array) != len(labels.array):
        raise DataError(f"{image_file} has {len(images.array)} images, but {label_file} {len(labels.array)} labels")
    if not images.array.size:
        raise DataError(f"{image_file} has no images")
    return images.array, labels.array


def _check_known(dataset: str, files: dict[str, Path], read: dict[Path, IdxFile]) -> None:
    for name, path in files.items():
        if path in read and read[path].digest != KNOWN[dataset].digests[name]:
            raise DataError(
                f"{path} is not {dataset}'s {name}: its decompressed SHA-256 is {read[path].digest[:12]}…, "
                f"expected {KNOWN[dataset].digests[name][:12]}…; other data need another name, with --dataset"
            )


def _class_names(dataset: str, classes: int) -> tuple[str, ...]:
    return KNOWN[dataset].class_names if dataset in KNOWN else tuple(map(str, range(classes)))
