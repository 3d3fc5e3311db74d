"""From source files to a store, whole or not at all."""

import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

from service.data import generations
from service.data.about import About
from service.data.catalog import KNOWN, check_digest
from service.data.formats import Examples, Reading, find
from service.data.formats import names as format_names
from service.data.formats.base import SAY_EVERY_S, Arrays, Say, check_examples
from service.data.formats.idx_folder import read_files
from service.data.missing_statistics import add_statistics
from service.data.options import IngestOptions
from service.data.sources import find_files
from service.data.split import count_duplicates, split
from service.data.store import (
    DatasetInfo,
    UnknownFormat,
    build,
    check_files,
    describe,
    identity,
    read_about,
    verify,
)
from service.data.store_lock import store_locked
from service.errors import Conflict, DataError, InvalidInput, StorageError
from service.files import size_of
from service.home import Home
from service.model_ref import NAME
from service.storage import Address, Place

SCRATCH = ".scratch"
"""How the names of folders end that an ingestion works in; the lock of the same name is held meanwhile."""


def ingest(
    home: Home,
    *,
    dataset: str = "fashion-mnist",
    source: Path | None = None,
    progress: Say = lambda message: None,
    options: IngestOptions | None = None,
) -> DatasetInfo:
    """Bring a data set into its store; one that is there and whole stays as it is, a damaged one is built anew.

    Of several processes, one works and the others wait for it. What one left that was killed is removed. Without a
    source, a large store that is there isn't read through: whoever reads a chunk of it checks that chunk.

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
    if source is None and isinstance(present := _present(path, check_files), DatasetInfo):
        return present if present.statistics.means or present.is_chunked else _counted(home, present, progress)
    try:
        with _held(home, dataset, progress), _scratch(home.cache / f".{dataset}{SCRATCH}") as scratch:
            return _ingest(home, dataset, source, Reading(options, scratch, progress))
    except OSError as error:
        where = path if isinstance(path, Path) else home.cache
        raise DataError(f"{where} can't be written: {error.strerror or error}") from None


def check_name(dataset: str) -> str:
    """The name of a data set, which is part of a path. Raises InvalidInput for what can't be one."""
    if not re.fullmatch(NAME, dataset):
        raise InvalidInput(f"a data set's name must match {NAME}, got {dataset!r}")
    return dataset


def _ingest(home: Home, dataset: str, source: Path | None, reading: Reading) -> DatasetInfo:
    path = home.store(dataset)
    progress = reading.say
    before = generations.pointer(path) if isinstance(path, Address) else None
    present = _present(path, check_files if source is None else verify)
    if isinstance(present, DatasetInfo) and source is None:
        return present
    if isinstance(present, DataError):
        if source is None and dataset not in KNOWN:
            raise DataError(f"{present}; bring it in again with `atelier ingest --dataset {dataset} --source FOLDER`")
        progress(f"building the store anew: {present}")
    examples, train, test, about = _read(home, dataset, source, reading)
    stated = present if isinstance(present, DatasetInfo) else _stated(path)
    if stated is not None and stated.digest != identity(train, test, like=stated):
        raise Conflict(f"{path} holds other data under this name: choose another with --dataset")
    if isinstance(present, DatasetInfo):
        _check_same_story(path, present, examples, about)
        return present if present.statistics.means else add_statistics(path)
    progress(f"writing {path}")
    size = train[0].nbytes + test[0].nbytes
    written = BytesDone(progress, "wrote", size).add
    if isinstance(path, Address):
        folder = reading.scratch / path.name
        info = build(folder, dataset, examples.class_names, train, test, about, written)
        sent = BytesDone(progress, "sent", size_of(folder)).add
        return replace(info, path=generations.publish(folder, info.digest, path, before, sent))
    remove_drafts(path)
    if path.is_symlink() or path.is_file():
        path.unlink()
    elif path.exists():
        shutil.rmtree(path)
    return build(path, dataset, examples.class_names, train, test, about, written)


def _stated(path: Place) -> DatasetInfo | None:
    """What a store says of itself though it is damaged; None where it says nothing that makes sense.

    Raises Conflict where it is one of a later version: that is not damaged, and nobody may replace it.
    """
    try:
        return describe(path)
    except UnknownFormat as error:
        raise Conflict(f"{error}: a later version of Atelier made it; choose another name with --dataset") from None
    except (DataError, StorageError, OSError):
        return None


def _check_same_story(path: Place, present: DatasetInfo, examples: Examples, about: About | None) -> None:
    """Raise Conflict where the same images and labels would be named or prepared in another way than the store says."""
    recorded = read_about(path).preparation
    if present.class_names != examples.class_names:
        what = f"class names: {', '.join(present.class_names)}"
    elif recorded and about and about.preparation and recorded != about.preparation:
        what = f"preparation: {', '.join(f'{name} {value}' for name, value in recorded.items())}"
    else:
        return
    raise Conflict(f"{path} holds the same images with another {what}; choose another name with --dataset")


class BytesDone:
    """Says how much of something is done, every few seconds."""

    def __init__(self, say: Say, what: str, size: int) -> None:
        """Begin at nothing.

        Args:
            say: is told.
            what: is done.
            size: bytes in all.
        """
        self._say = say
        self._what = what
        self._size = size
        self._done = 0
        self._next = time.monotonic() + SAY_EVERY_S

    def add(self, done: int) -> None:
        """Note that so many bytes more are done."""
        self._done += done
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + SAY_EVERY_S
            self._say(f"{self._what} {self._done / 1e6:,.0f} of {self._size / 1e6:,.0f} MB")


def remove_drafts(path: Path) -> None:
    """Remove what a process left beside a store that was killed while it wrote; for who holds the store's lock."""
    own = re.compile(rf"\.{re.escape(path.name)}-(\w{{8}}|deleted-\d+)")
    for draft in path.parent.glob(f".{path.name}-*") if path.parent.is_dir() else []:
        if own.fullmatch(draft.name) and draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)


def _counted(home: Home, present: DatasetInfo, progress: Say) -> DatasetInfo:
    """A store of before, with the statistics of its channels where they can be written beside its images."""
    try:
        with _held(home, present.name, progress):
            return add_statistics(present.path)
    except OSError:  # somebody else's disk: nobody needs them but a network that asks for them
        return present


@contextmanager
def _held(home: Home, dataset: str, progress: Say) -> Iterator[None]:
    """One process at a time fetches and builds; the system lets go when it ends, however it ends."""
    with store_locked(home, dataset, lambda: progress(f"waiting for another process that ingests {dataset}")):
        yield


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    """An empty folder that is gone afterwards; one that a killed process left is emptied first."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _present(path: Place, check: Callable[[Place], DatasetInfo]) -> DatasetInfo | DataError | None:
    """The store that is there if it passes the check, what is wrong with it if it does not."""
    try:
        is_there = path.exists() if isinstance(path, Path) else generations.pointer(path) is not None
        return check(path) if is_there else None
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
