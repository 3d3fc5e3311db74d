"""One line for what the system refuses a command: memory, open files, a disk, the output."""

import errno
from collections.abc import Iterator

MEMORY = "there is not enough memory"
SIGNS_OF_MEMORY = ("can't start new thread", "failed to map segment", "Cannot allocate memory")
"""What other errors than MemoryError say where memory, or the limit of a process, is the cause."""

REFUSALS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EACCES, errno.EPERM})
"""What a disk or an output answers that can't be read or written."""


def explain(error: BaseException) -> str:
    """The line for an error that nobody expected; empty where the system isn't its cause."""
    for cause in _causes(error):
        if isinstance(cause, MemoryError):
            return f"{MEMORY}: {str(cause) or 'an allocation failed'}"
        if any(sign in str(cause) for sign in SIGNS_OF_MEMORY):
            return f"{MEMORY}: {_first_line(cause)}"
        if isinstance(cause, OSError) and cause.errno in (errno.EMFILE, errno.ENFILE):
            return "too many files are open: raise the limit of a process (`ulimit -n 1024`)"
    if isinstance(error, OSError) and error.errno in REFUSALS:
        return f"{error.filename or 'the output'} can't be read or written: {error.strerror}"
    return ""


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what led to it, and so on."""
    found: BaseException | None = error
    while found is not None:
        yield found
        found = found.__cause__ or found.__context__


def _first_line(error: BaseException) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
