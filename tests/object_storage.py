"""A server that speaks S3, as a process of its own: `python -m tests.object_storage` tells its port, then serves.

It is moto's, with one lock around every request: moto first looks whether a condition holds and then writes, which two
requests at a time would both come through. It serves at 127.0.0.1, or at the address in `SERVED_AT`.
`IGNORED_HEADERS="HTTP_IF_MATCH"` makes it a server that doesn't know them. What else goes wrong with it, `trouble`
says.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx

if TYPE_CHECKING:
    import pytest

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}
TROUBLE = "/-/trouble"
ANSWER_S = 120.0
"""moto imports what it needs at the first request, which takes a busy machine long."""
WELL = {"unsteady": 0, "stall_at": 0, "refused": 0}


@contextmanager
def serving_objects(**more: str) -> Iterator[str]:
    """The address of a server that ends with the block. more: variables of its environment."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.object_storage"],
        cwd=Path(__file__).parents[1],
        env={**os.environ, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield f"http://127.0.0.1:{int(process.stdout.readline())}"
    finally:
        process.kill()
        process.communicate()


def point_to(endpoint: str, patched: "pytest.MonkeyPatch") -> None:
    """Let the environment name a server, and keys for it."""
    for name, value in {**KEYS, "AWS_ENDPOINT_URL": endpoint}.items():
        patched.setenv(name, value)


def new_bucket(endpoint: str, name: str, what: str = "models") -> str:
    """Make a bucket; the place of models in it, or of something else."""
    httpx.put(f"{endpoint}/{name}", timeout=ANSWER_S).raise_for_status()
    return f"s3://{name}/some/{what}"


@contextmanager
def trouble(endpoint: str, *, unsteady: int = 0, stall_at: int = 0, refused: int = 0) -> Iterator[Callable[[], bool]]:
    """Have a server misbehave while the block lasts.

    Args:
        endpoint: its address.
        unsteady: each so many-th request fails: in turns it is refused with 503, or done and only half answered.
        stall_at: the number of the write that is done, but never answered; nor is any after it.
        refused: the status with which every request is refused.

    Yields:
        A function that says whether the server has stalled.
    """
    _set_trouble(endpoint, unsteady=unsteady, stall_at=stall_at, refused=refused)
    try:
        yield lambda: httpx.get(f"{endpoint}{TROUBLE}", timeout=ANSWER_S).text == "stalled"
    finally:
        _set_trouble(endpoint, **WELL)


def _set_trouble(endpoint: str, **settings: int) -> None:
    httpx.post(f"{endpoint}{TROUBLE}", params=settings, timeout=ANSWER_S)


class Troublemaker:
    """An application around another one: see `trouble`."""

    def __init__(self, application):
        self._application = application
        self._settings = WELL
        self._requests = self._writes = 0
        self._over = threading.Event()

    def __call__(self, environ, start_response):
        if environ["PATH_INFO"] == TROUBLE:
            return self._set(environ, start_response)
        # All of it, or whoever is stopped while sending would hold the lock, and who is refused hear of no answer.
        environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)))
        self._requests += 1
        self._writes += environ["REQUEST_METHOD"] == "PUT"
        unsteady, stall_at = self._settings["unsteady"], self._settings["stall_at"]
        turn = self._requests // unsteady if unsteady and self._requests % unsteady == 0 else 0
        if turn % 2 or self._settings["refused"]:
            start_response(f"{self._settings['refused'] or 503} Refused", [("Content-Length", "0")])
            return [b""]
        over = self._over
        answer = list(self._application(environ, start_response))
        if stall_at and self._writes >= stall_at:
            over.wait()
        return [part[: len(part) // 2] for part in answer] if turn else answer

    def _set(self, environ, start_response):
        if environ["REQUEST_METHOD"] == "POST":
            self._over.set()
            self._over, self._requests, self._writes = threading.Event(), 0, 0
            self._settings = {name: int(value) for name, value in parse_qsl(environ["QUERY_STRING"])}
        stalled = 0 < self._settings["stall_at"] <= self._writes
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"stalled" if stalled else b"well"]


def main() -> None:
    """Serve on a free port until killed."""
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import make_server

    application, one_at_a_time = DomainDispatcherApplication(create_backend_app), threading.Lock()
    ignored = os.environ.get("IGNORED_HEADERS", "").split()

    def answer(environ, start_response):
        for header in ignored:
            environ.pop(header, None)
        with one_at_a_time:
            return list(application(environ, start_response))

    server = make_server(os.environ.get("SERVED_AT", "127.0.0.1"), 0, Troublemaker(answer), threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
