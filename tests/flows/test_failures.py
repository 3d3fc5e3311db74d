"""One line for whatever goes wrong with a Prefect server."""

import httpx
import pytest

from flows.failures import explained
from service import home as module
from service.errors import AtelierError, RunError
from service.home import Home

REQUEST = httpx.Request("POST", "http://127.0.0.1:8123/api/flow_runs")


class Server:
    """An embedded server as far as this is concerned."""

    def __init__(self, home: Home, *, has_ended: bool = False) -> None:
        self.log = home.root / "prefect" / "server.log"
        self.has_ended = has_ended


def told(error: Exception, home: Home, server: Server | None) -> str:
    with pytest.raises(AtelierError) as raised, explained(home, server):
        raise error
    assert "\n" not in str(raised.value)
    return str(raised.value)


def test_a_disk_that_filled_meanwhile_is_told_as_such(home: Home, monkeypatch: pytest.MonkeyPatch):
    home.prepare()
    monkeypatch.setattr(module, "LEAST_FREE_BYTES", 1 << 60)
    response = httpx.HTTPStatusError("Server error '500'\nfor url", request=REQUEST, response=httpx.Response(500))
    assert "No space left on device" in told(response, home, Server(home))


def test_otherwise_the_server_s_own_words_are_named(home: Home):
    line = told(httpx.ConnectError("Connection refused", request=REQUEST), home, Server(home))
    assert "Connection refused" in line
    assert "server.log" in line


def test_what_failed_before_is_told_rather_than_that_it_could_not_be_written_down(home: Home):
    try:
        raise RunError("run x can't be written: No space left on device")
    except RunError:
        with pytest.raises(RunError, match="run x"), explained(home, Server(home)):
            raise httpx.ConnectError("Connection refused", request=REQUEST)  # noqa: B904 -- as Prefect does


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (httpx.ConnectError("Connection refused", request=REQUEST), "no Prefect server answers at http://prefect/api"),
        (
            httpx.HTTPStatusError("401", request=REQUEST, response=httpx.Response(401)),
            "the Prefect server at http://prefect/api answers 401: set PREFECT_API_AUTH_STRING",
        ),
    ],
)
def test_a_server_elsewhere_is_named(home: Home, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str):
    monkeypatch.setenv("PREFECT_API_URL", "http://prefect/api")
    assert line in told(error, home, None)


def test_a_server_that_is_gone_is_told_whatever_that_led_to(home: Home):
    error = RuntimeError("Failed to reach API at http://127.0.0.1:8898/api/")
    assert "ended by itself: is there enough memory?" in told(error, home, Server(home, has_ended=True))
    with pytest.raises(RuntimeError, match="Failed to reach"), explained(home, Server(home)):
        raise error


@pytest.mark.parametrize("error", [RunError("x"), MemoryError("y")])
def test_what_has_a_line_of_its_own_keeps_it(home: Home, error: Exception):
    with pytest.raises(type(error)) as raised, explained(home, Server(home, has_ended=True)):
        raise error
    assert raised.value is error
