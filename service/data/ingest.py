"""From source files to a store, whole or not at all."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from service.data.catalog import KNOWN, check_digest
from service.data.formats import Examples, format_of, idx_folder
from service.data.formats.base import check_examples
from service.data.sources import Say, find_files
from service.data.store import DatasetInfo, build, identity, verify
from service.errors import Conflict, DataError, InvalidInput
from service.files import locked
from service.home import Home
from service.model_ref import NAME


def ingest(
    home: Home, *, dataset: str = "fashion-mnist", source: Path | None = None, progress: Say = lambda message: None
) -> DatasetInfo:
    """Bring a data set into its store; one that is there and whole stays as it is, a damaged one is built anew.

    source: a file or folder in one of the formats (see `formats`); None looks in the usual places (see `sources`).
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
    examples = _read(home, dataset, source, progress)
    if isinstance(present, DatasetInfo):
        if present.digest != identity(examples.train, examples.test):
            raise Conflict(f"{path} holds other data under this name: choose another with --dataset")
        return present
    progress(f"writing {path}")
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return build(path, dataset, examples.class_names, examples.train, examples.test)


@contextmanager
def _held(home: Home, dataset: str, progress: Say) -> Iterator[None]:
    """One process at a time fetches and builds; the system lets go when it ends, however it ends."""
    home.cache.mkdir(parents=True, exist_ok=True)
    lock = home.cache / f".{dataset}.lock"
    with locked(lock, on_wait=lambda: progress(f"waiting for another process that ingests {dataset}")):
        yield


def _whole(path: Path) -> DatasetInfo | DataError | None:
    """The store that is there if it is whole, what is wrong with it if it is not."""
    try:
        return verify(path) if path.exists() else None
    except DataError as error:
        return error
    except OSError as error:
        return DataError(f"{path} can't be read: {error.strerror or error}")


def _read(home: Home, dataset: str, source: Path | None, progress: Say) -> Examples:
    """The examples of a source. Those of a known data set are IDX files, checked against its digests."""
    if source is not None and dataset not in KNOWN:
        format_ = format_of(source) or idx_folder  # which says what it expects
        return check_examples(source, format_.read(source))
    files = find_files(home, dataset, source, progress)
    return idx_folder.read_files(files, partial(_check_known, dataset), KNOWN[dataset].class_names)


def _check_known(dataset: str, name: str, path: Path, digest: str) -> None:
    try:
        check_digest(dataset, name, path, digest)
    except DataError as error:
        raise DataError(f"{error}; other data need another name, with --dataset") from None
