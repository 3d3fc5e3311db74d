"""One line for people where a run's files can't be written."""

from collections.abc import Iterator
from contextlib import contextmanager
from errno import EDQUOT, EIO, ENOSPC, EROFS

from service.errors import RunError
from service.home import Home

REMEDIES = {
    ENOSPC: "with room made",
    EDQUOT: "with room made",
    EROFS: "once it can be written",
    EIO: "once it can be written",
}
"""What has to happen before a run can go on, by the error of the system."""


@contextmanager
def explained_disk_errors(home: Home, run: str) -> Iterator[None]:
    """Turn what the system says of a full or unwritable disk into RunError, with the command that goes on."""
    try:
        yield
    except OSError as error:
        if error.errno not in REMEDIES:
            raise
        raise RunError(
            f"run {run} can't be written to {home.runs}: {error.strerror}; {REMEDIES[error.errno]}, "
            f"`atelier runs resume {run}` continues it"
        ) from None
