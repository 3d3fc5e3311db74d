"""What is shown beside work that goes on."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread

LAST_LOOK_SECONDS = 5
"""How long is waited for what is shown last."""


@contextmanager
def watching(watch: Callable[[Event], None]) -> Iterator[None]:
    """Call a function in a thread while the block lasts. The event that it is handed says that the block has ended."""
    stop = Event()
    watcher = Thread(target=watch, args=(stop,), daemon=True)
    watcher.start()
    try:
        yield
    finally:
        stop.set()
        watcher.join(LAST_LOOK_SECONDS)
