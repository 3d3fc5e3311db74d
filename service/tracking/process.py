"""The process that hands a run to trackers, while a training lasts."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from service.config import TrainConfig
from service.home import Home
from service.tracking.registry import split

END_SECONDS = 120.0
"""How long a command waits at its end until the trackers have everything; the process goes on without it then."""

INTERRUPTED_SECONDS = 0.5
"""The same where the command was interrupted or failed."""

Publish = Callable[[str], None]
"""Called with the model that a run ended in, as `name:version`."""


@contextmanager
def tracked(home: Home, run: str, config: TrainConfig) -> Iterator[Publish]:
    """Have trackers follow a run while a block lasts, from a process of its own: no round waits for them.

    Args:
        home: where runs and models are.
        run: the run's name; it may not have begun yet.
        config: which says what trackers.

    Yields:
        What to call with the model that the run ended in.
    """
    trackers = split(config.track)
    if not trackers:
        yield lambda label: None
        return
    places = (str(home.root), home.elsewhere, home.runs_elsewhere)
    command = [sys.executable, "-m", "service.tracking", *places, run, *trackers]
    # In a session of its own: what interrupts the training must not keep trackers from getting the rest.
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, start_new_session=True)  # noqa: S603 - our own module
    assert process.stdin is not None, "it is a pipe"
    pipe, patience = process.stdin, INTERRUPTED_SECONDS

    def publish(label: str) -> None:
        with suppress(OSError):  # it died, and said why
            pipe.write(f"{label}\n".encode())
            pipe.flush()

    try:
        yield publish
        patience = END_SECONDS
    finally:
        with suppress(OSError):
            pipe.close()
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
