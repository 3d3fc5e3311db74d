"""The data sets that are stored below a home."""

import os
import shutil
from pathlib import Path

from service.data import generations
from service.data.store import DatasetInfo, describe, label_counts
from service.data.store_lock import store_locked
from service.errors import DataError, NotFound
from service.files import size_of
from service.home import Home
from service.storage import Address, Place, objects_at


def all_stores(home: Home) -> dict[str, DatasetInfo | DataError]:
    """Every data set by name, or what is wrong with its store."""
    found: dict[str, DatasetInfo | DataError] = {}
    for name in _names(home.data):
        try:
            found[name] = describe(home.store(name))
        except DataError as error:
            found[name] = error
    return found


def is_there(home: Home, name: str) -> bool:
    """Whether there is a data set of a name, whole or damaged."""
    path = home.store(name)
    return os.path.lexists(path) if isinstance(path, Path) else generations.pointer(path) is not None


def stored_bytes(home: Home, name: str) -> int:
    """What a data set takes where it lies."""
    path = home.store(name)
    return size_of(path) if isinstance(path, Path) else sum(objects_at(path).sizes().values())


def find_store(home: Home, name: str) -> DatasetInfo:
    """A data set by name. Raises NotFound where there is none, DataError where its store is damaged."""
    if not is_there(home, name):
        known = ", ".join(all_stores(home)) or "none"
        raise NotFound(f"there is no data set {name!r} here (data sets: {known})")
    return describe(home.store(name))


def class_counts(info: DatasetInfo) -> dict[str, tuple[int, int]]:
    """For each class the number of training and of test examples. Raises DataError where labels are damaged."""
    train, test = (label_counts(info.path, group) for group in ("train", "test"))
    return {name: (train[number], test[number]) for number, name in enumerate(info.class_names)}


def delete_store(home: Home, name: str) -> None:
    """Remove a data set, whole or damaged, for good. Raises NotFound where there is none."""
    path = home.store(name)
    with store_locked(home, name):
        if not is_there(home, name):
            raise NotFound(f"there is no data set {name!r} here")
        if isinstance(path, Address):
            generations.remove(path)
            return
        # In one step out of sight, then gone: whoever opens it meanwhile finds all of it or nothing.
        doomed = path.with_name(f".{path.name}-deleted-{os.getpid()}")
        path.rename(doomed)
        _remove(doomed)


def _names(data: Place) -> list[str]:
    if isinstance(data, Address):
        return generations.names(data)
    found = sorted(data.glob(f"*{generations.SUFFIX}")) if data.is_dir() else []
    return [path.name.removesuffix(generations.SUFFIX) for path in found if not path.name.startswith(".")]


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
