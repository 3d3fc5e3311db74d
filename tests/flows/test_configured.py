"""A Prefect server that is configured: it is asked once whether it is there, and one line tells where it isn't."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from flows.configured import wait_until_ready
from service.errors import AtelierError, InvalidInput


@pytest.fixture
def answering() -> Iterator[Callable[[int], str]]:
    """Makes servers that answer every request with a status; each one's address."""
    with ExitStack() as cleanup:

        def serve(status: int) -> str:
            class Answering(BaseHTTPRequestHandler):
                def do_GET(self) -> None:
                    self.send_response(status)
                    self.send_header("content-length", "0")
                    self.end_headers()

            server = cleanup.enter_context(ThreadingHTTPServer(("127.0.0.1", 0), Answering))
            Thread(target=server.serve_forever, daemon=True).start()
            cleanup.callback(server.shutdown)
            return f"http://127.0.0.1:{server.server_port}/api"

        yield serve


def test_a_server_that_is_away_is_told_in_one_line(answering: Callable[[int], str], monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("flows.configured.READY_SECONDS", 1.5)
    with pytest.raises(AtelierError, match=r"^no Prefect server answers at http://127\.0\.0\.1:9/api: .*refused"):
        wait_until_ready("http://127.0.0.1:9/api")
    with pytest.raises(AtelierError, match=r"answers 503; without PREFECT_API_URL the command starts"):
        wait_until_ready(answering(503))
    with pytest.raises(InvalidInput, match="PREFECT_API_URL must be an address, got 'prefect'"):
        wait_until_ready("prefect")


@pytest.mark.parametrize("status", [200, 401, 404])
def test_what_it_answers_is_for_prefect_to_judge(answering: Callable[[int], str], status: int):
    wait_until_ready(answering(status))
