"""From four IDX files to a store, whole or not at all."""

import fcntl
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.data.catalog import FILES, KNOWN, check_digest
from service.data.formats.idx import read_images, read_labels
from service.data.sources import Say, find_files
from service.data.store import Arrays, DatasetInfo, build, identity, verify
from service.errors import Conflict, DataError, InvalidInput
from service.home import Home
from service.model_ref import NAME


def ingest(
    home: Home, *, dataset: str = "fashion-mnist", source: Path | None = None, progress: Say = lambda message: None
) -> DatasetInfo:
    """Bring a data set into its store; one that is there and whole stays as it is, a damaged one is built anew.

    source: a folder with the four IDX files; None looks in the usual places (see `sources`).
    Raises InvalidInput or DataError where the files can't be had or aren't what they should be, and Conflict where
    the store holds other data under this name. Of several processes, one works and the others wait for it.
    """
    path = home.store(check_name(dataset))
    if source is None and isinstance(present := _whole(path), DatasetInfo):
        return present
    try:
        with _held(home, dataset, progress):
            return _ingest(home, dataset, source, progress)
    except OSError as error:
        raise DataError(f"{path} can't be written: {error.strerror or error}") from None


def check_name(dataset: str) -> str:
    """The name of a data set, which is part of a path. Raises InvalidInput for what can't be one."""
    if not re.fullmatch(NAME, dataset):
        raise InvalidInput(f"a data set's name must match {NAME}, got {dataset!r}")
    return dataset


def _ingest(home: Home, dataset: str, source: Path | None, progress: Say) -> DatasetInfo:
    path = home.store(dataset)
    present = _whole(path)
    if isinstance(present, DatasetInfo) and source is None:
        return present
    if isinstance(present, DataError):
        if source is None and dataset not in KNOWN:
            raise DataError(f"{present}; bring it in again with `atelier ingest --dataset {dataset} --source FOLDER`")
        progress(f"building the store anew: {present}")
    files = find_files(home, dataset, source, progress)
    train, test = _group(files, "train", dataset), _group(files, "t10k", dataset)
    if train[0].shape[1:] != test[0].shape[1:]:
        raise DataError(
            f"{files[FILES[0]]} has images of {train[0].shape[1:]}, but {files[FILES[2]]} of {test[0].shape[1:]}"
        )
    if isinstance(present, DatasetInfo):
        if present.digest != identity(train, test):
            raise Conflict(f"{path} holds other data under this name: choose another with --dataset")
        return present
    progress(f"writing {path}")
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return build(path, dataset, _class_names(dataset, 1 + int(max(train[1].max(), test[1].max()))), train, test)


@contextmanager
def _held(home: Home, dataset: str, progress: Say) -> Iterator[None]:
    """One process at a time fetches and builds; the system lets go when it ends, however it ends."""
    home.cache.mkdir(parents=True, exist_ok=True)
    with (home.cache / f".{dataset}.lock").open("a") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another process that ingests {dataset}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _whole(path: Path) -> DatasetInfo | DataError | None:
    """The store that is there if it is whole, what is wrong with it if it is not."""
    try:
        return verify(path) if path.exists() else None
    except DataError as error:
        return error
    except OSError as error:
        return DataError(f"{path} can't be read: {error.strerror or error}")


def _group(files: dict[str, Path], prefix: str, dataset: str) -> Arrays:
    """Images and labels of one group, checked against each other and, for a known data set, against its digests."""
    image_name, label_name = (name for name in FILES if name.startswith(prefix))
    image_file, label_file = files[image_name], files[label_name]
    images, labels = read_images(image_file), read_labels(label_file)
    if dataset in KNOWN:
        try:
            check_digest(dataset, image_name, image_file, images.digest)
            check_digest(dataset, label_name, label_file, labels.digest)
        except DataError as error:
            raise DataError(f"{error}; other data need another name, with --dataset") from None
    if len(images.array) != len(labels.array):
        raise DataError(f"{image_file} has {len(images.array)} images, but {label_file} {len(labels.array)} labels")
    if not images.array.size:
        raise DataError(f"{image_file} has no images")
    return images.array, labels.array


def _class_names(dataset: str, classes: int) -> tuple[str, ...]:
    return KNOWN[dataset].class_names if dataset in KNOWN else tuple(map(str, range(classes)))
