"""From source files to a store, whole or not at all."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from service.data.about import About
from service.data.catalog import KNOWN, check_digest
from service.data.formats import Examples, Reading, find
from service.data.formats import names as format_names
from service.data.formats.base import Arrays, Say, check_examples
from service.data.formats.idx_folder import read_files
from service.data.options import IngestOptions
from service.data.sources import find_files
from service.data.split import count_duplicates, split
from service.data.store import DatasetInfo, build, identity, verify
from service.errors import Conflict, DataError, InvalidInput
from service.files import locked
from service.home import Home
from service.model_ref import NAME


def ingest(
    home: Home,
    *,
    dataset: str = "fashion-mnist",
    source: Path | None = None,
    progress: Say = lambda message: None,
    options: IngestOptions | None = None,
) -> DatasetInfo:
    """Bring a data set into its store; one that is there and whole stays as it is, a damaged one is built anew.

    Of several processes, one works and the others wait for it.

    Args:
        home: where the store is.
        dataset: the name of the data set.
        source: a file or folder in one of the formats (see `formats`); None looks in the usual places (see `sources`).
        progress: is told what happens.
        options: how to read the source.

    Raises:
        InvalidInput: the files can't be had, or the options aren't for them.
        DataError: the files aren't what they should be.
        Conflict: the store holds other data under this name.
    """
    options = options or IngestOptions()
    path = home.store(check_name(dataset))
    if options != IngestOptions() and (source is None or dataset in KNOWN):
        raise InvalidInput("a data set that is known is stored as it was published: name a --source and a --dataset")
    if source is None and isinstance(present := _whole(path), DatasetInfo):
        return present
    try:
        with _held(home, dataset, progress):
            return _ingest(home, dataset, source, Reading(options, home.cache, progress))
    except OSError as error:
        raise DataError(f"{path} can't be written: {error.strerror or error}") from None


def check_name(dataset: str) -> str:
    """The name of a data set, which is part of a path. Raises InvalidInput for what can't be one."""
    if not re.fullmatch(NAME, dataset):
        raise InvalidInput(f"a data set's name must match {NAME}, got {dataset!r}")
    return dataset


def _ingest(home: Home, dataset: str, source: Path | None, reading: Reading) -> DatasetInfo:
    path = home.store(dataset)
    progress = reading.say
    present = _whole(path)
    if isinstance(present, DatasetInfo) and source is None:
        return present
    if isinstance(present, DataError):
        if source is None and dataset not in KNOWN:
            raise DataError(f"{present}; bring it in again with `atelier ingest --dataset {dataset} --source FOLDER`")
        progress(f"building the store anew: {present}")
    examples, train, test, about = _read(home, dataset, source, reading)
    if isinstance(present, DatasetInfo):
        if present.digest != identity(train, test):
            raise Conflict(f"{path} holds other data under this name: choose another with --dataset")
        return present
    progress(f"writing {path}")
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return build(path, dataset, examples.class_names, train, test, about)


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


def _read(
    home: Home, dataset: str, source: Path | None, reading: Reading
) -> tuple[Examples, Arrays, Arrays, About | None]:
    """The examples of a source, those to train on and to test with, and where they come from.

    Those of a known data set are IDX files, checked against its digests, and nothing more is to be said of them.
    """
    if source is None or dataset in KNOWN:
        files = find_files(home, dataset, source, reading.say)
        known = read_files(files, partial(_check_known, dataset), KNOWN[dataset].class_names)
        assert known.test is not None
        return known, known.train, known.test, None
    examples, title = _read_format(source, reading)
    options = reading.options
    drawn = {} if examples.test else {"share": options.test_share, "seed": options.split_seed}
    train, test = (
        (examples.train, examples.test)
        if examples.test
        else split(examples.train, options.test_share, options.split_seed, reading.scratch)
    )
    if drawn:
        reading.say(f"{source} has no test split: {len(test[1]):,} examples, drawn from each class, became one")
    check_examples(source, replace(examples, train=train, test=test))
    duplicates = count_duplicates(train[0], test[0])
    if duplicates:
        reading.say(f"{duplicates:,} of {len(test[1]):,} test images are training images too")
    about = About(
        format=title,
        source=source.resolve().name,
        options=options.model_dump(exclude_defaults=True),
        preparation=examples.preparation.to_manifest() if examples.preparation else {},
        split=drawn,
        skipped=examples.skipped,
        duplicates=duplicates,
        card=examples.card,
        licence=examples.licence,
    )
    return examples, train, test, about


def _read_format(source: Path, reading: Reading) -> tuple[Examples, str]:
    """What the first format that recognizes a source reads from it, and what people call it."""
    if not source.exists():
        raise DataError(f"there is no file or folder {source}")
    found = find(source)
    if found is None:
        raise DataError(f"{source} is in none of the formats that can be read: {', '.join(format_names())}")
    reading.say(f"{source} is {found.title}")
    examples = check_examples(source, found.format.read(source, reading))
    return examples, examples.format or found.title


def _check_known(dataset: str, name: str, path: Path, digest: str) -> None:
    try:
        check_digest(dataset, name, path, digest)
    except DataError as error:
        raise DataError(f"{error}; other data need another name, with --dataset") from None
