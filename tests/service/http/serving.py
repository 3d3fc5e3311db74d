"""The service in a thread of this process, behind a real socket."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx
import uvicorn

from service.home import Home
from service.http import Limits, create_app, request_limit_protocol


@contextmanager
def serving(home: Home, **options: Any) -> Iterator[httpx.Client]:
    """A client of the service of this home, on a port of its own."""
    protocol = request_limit_protocol(options.get("limits") or Limits())
    config = uvicorn.Config(create_app(home, **options), port=0, http=protocol, ws="none", log_level="critical")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started and thread.is_alive():
        time.sleep(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=300) as client:
            yield client
    finally:
        server.should_exit = True
        thread.join()
