"""A server that speaks S3, as a process of its own: `python -m tests.object_storage` tells its port, then serves.

It is moto's, with one lock around every request: moto first looks whether a condition holds and then writes, which two
requests at a time would both come through. `IGNORED_HEADERS="HTTP_IF_MATCH"` makes it a server that doesn't know them.
"""

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

KEYS = {"AWS_ACCESS_KEY_ID": "tests", "AWS_SECRET_ACCESS_KEY": "tests", "AWS_REGION": "us-east-1"}


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


def new_bucket(endpoint: str, name: str) -> str:
    """Make a bucket; the place of models in it."""
    httpx.put(f"{endpoint}/{name}").raise_for_status()
    return f"s3://{name}/some/models"


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
            return application(environ, start_response)

    server = make_server("127.0.0.1", 0, answer, threaded=True)
    print(server.server_port, flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
