"""What goes wrong between us and a Prefect server, in one line."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from flows.embedded import EmbeddedServer
from ops.errors import OpsError
from service.errors import AtelierError
from service.home import Home

KNOWN = (AtelierError, OpsError, MemoryError)
"""What the command line tells in one line of its own."""


@contextmanager
def explained(home: Home, embedded: EmbeddedServer | None = None) -> Iterator[None]:
    """Say in one line why the server can't be used any more.

    A server of our own keeps its records in the home, so that a disk that is full or read-only fails it too. Where the
    work failed before, that is what is told: Prefect raises its own trouble with writing the failure down.

    Args:
        home: Where the flows work.
        embedded: The server, where it is our own.

    Raises:
        AtelierError: What is wrong.
    """
    try:
        yield
    except Exception as error:
        gone = embedded is not None and embedded.has_ended
        if isinstance(error, KNOWN) or not (gone or isinstance(error, httpx.HTTPError)):
            raise
        raise _cause(error) or AtelierError(_own(error, home, embedded) if embedded else _foreign(error)) from None


def _cause(error: BaseException) -> AtelierError | None:
    """The error of ours that Prefect failed to write down."""
    before = error.__context__
    while before is not None and not isinstance(before, AtelierError):
        before = before.__context__
    return before


def _own(error: Exception, home: Home, server: EmbeddedServer) -> str:
    try:
        home.prepare()
    except AtelierError as problem:
        return f"{problem}; what was trained stands: `atelier runs list` shows what can be resumed"
    first = (str(error).splitlines() or [type(error).__name__])[0]
    what = "ended by itself: is there enough memory?" if server.has_ended else f"failed ({first}):"
    return (
        f"Prefect's embedded server {what} Its words are in {server.log}; `atelier runs list` shows what can be resumed"
    )


def _foreign(error: Exception) -> str:
    address = os.environ["PREFECT_API_URL"]
    if isinstance(error, httpx.HTTPStatusError):
        status = error.response.status_code
        hint = ": set PREFECT_API_AUTH_STRING to the user:password that it asks for" if status == 401 else ""
        return f"the Prefect server at {address} answers {status}{hint}"
    return f"no Prefect server answers at {address}: {error}"
