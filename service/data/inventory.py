"""The data sets that are stored below a home."""

import os
import shutil
from pathlib import Path

from service.data.store import DatasetInfo, describe, label_counts
from service.errors import DataError, NotFound
from service.files import locked
from service.home import Home

SUFFIX = ".zarr"


def all_stores(home: Home) -> dict[str, DatasetInfo | DataError]:
    """Every data set by name, or what is wrong with its store."""
    found: dict[str, DatasetInfo | DataError] = {}
    for path in sorted(home.data.glob(f"*{SUFFIX}")) if home.data.is_dir() else []:
        try:
            if not path.name.startswith("."):
                found[path.name.removesuffix(SUFFIX)] = describe(path)
        except DataError as error:
            found[path.name.removesuffix(SUFFIX)] = error
    return found


def find_store(home: Home, name: str) -> DatasetInfo:
    """A data set by name. Raises NotFound where there is none, DataError where its store is damaged."""
    if not os.path.lexists(home.store(name)):
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
    home.cache.mkdir(parents=True, exist_ok=True)
    with locked(home.cache / f".{name}.lock"):
        if not os.path.lexists(path):
            raise NotFound(f"there is no data set {name!r} here")
        # In one step out of sight, then gone: whoever opens it meanwhile finds all of it or nothing.
        doomed = path.with_name(f".{path.name}-deleted-{os.getpid()}")
        path.rename(doomed)
        _remove(doomed)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()
