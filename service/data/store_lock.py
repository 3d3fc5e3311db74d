"""One process at a time changes a data set, wherever it lies."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from service.files import locked
from service.home import Home


@contextmanager
def store_locked(home: Home, dataset: str, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock on a data set while the block lasts; the system lets go when the process ends, however it ends.

    Args:
        home: the home. Its processes share a lock in its cache; those of several homes that share a folder of data
            (`ATELIER_DATA`) one beside the store.
        dataset: the name.
        on_wait: called where another process holds it.

    Raises:
        OSError: a lock can't be made.
    """
    path = home.store(dataset)
    folders = [home.cache, *([path.parent] if home.data_elsewhere and isinstance(path, Path) else [])]
    with ExitStack() as held:
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
            held.enter_context(locked(folder / f".{dataset}.lock", on_wait))
        yield
