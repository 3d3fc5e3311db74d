"""Reading a store's files wherever they lie, in a folder or in object storage."""

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeVar

from service.errors import DataError, NotFound
from service.storage import Address, Place, objects_at

Item = TypeVar("Item")
Value = TypeVar("Value")


def read_file(place: Place, key: str) -> bytes:
    """A file of a store. Raises DataError where it is missing or can't be read, StorageError without the storage."""
    try:
        return objects_at(place, patient=True).read(key)
    except NotFound:
        missing = "No such object" if isinstance(place, Address) else "No such file or directory"
        raise DataError(f"{place}/{key} can't be read: {missing}") from None
    except OSError as error:
        raise DataError(f"{error.filename or f'{place}/{key}'} can't be read: {error.strerror or error}") from None


def read_metadata(place: Place) -> Any:
    """What `zarr.json` says of a group or an array. Raises DataError as `read_file`, ValueError for no JSON."""
    return json.loads(read_file(place, "zarr.json"))


def read_in_order(read: Callable[[Item], Value], items: Iterable[Item], concurrency: int) -> Iterator[Value]:
    """What `read` gives for each item, in their order.

    Args:
        read: reads one; called in threads, except with a concurrency of 1.
        items: what to read.
        concurrency: how many are read ahead; so many values are in memory at most.
    """
    if concurrency == 1:
        yield from map(read, items)
        return
    waiting: deque[Future[Value]] = deque()
    with ThreadPoolExecutor(concurrency, "read") as threads:
        try:
            for item in items:
                waiting.append(threads.submit(read, item))
                if len(waiting) == concurrency:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
