"""Proxies in the environment: what goes by them, what doesn't, and what is told of one that can't be used."""

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import httpx
import pytest

from service.client import Atelier
from service.environment.proxies import LOOPBACK, bypass_loopback, http_client
from service.errors import AtelierError, InvalidInput
from service.home import Home
from tests.commands import atelier
from tests.jobs import blobs_store

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


@pytest.fixture
def proxied() -> Iterator[tuple[str, list[str]]]:
    """The address of a proxy that answers 503 to everything, and what it was asked for."""
    asked: list[str] = []

    class Refusing(BaseHTTPRequestHandler):
        def handle_one_request(self) -> None:
            asked.append(self.rfile.readline().decode())
            self.wfile.write(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n")
            self.close_connection = True

    with ThreadingHTTPServer(("127.0.0.1", 0), Refusing) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}", asked
        server.shutdown()


@pytest.mark.slow
def test_a_command_asks_no_proxy_for_its_own_server(home: Home, tmp_path: Path, proxied: tuple[str, list[str]]):
    blobs_store(home, tmp_path / "idx")
    address, asked = proxied
    environment = dict.fromkeys(NAMES, address)
    done = atelier("ingest", "--dataset", "blobs", home=home.root, NO_PROXY="", no_proxy="", **environment)
    assert (done.returncode, done.stderr) == (0, "")
    assert asked == []


@pytest.mark.slow
def test_a_socks_proxy_holds_nothing_up_either(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    done = atelier("ingest", "--dataset", "blobs", home=home.root, ALL_PROXY="socks5://127.0.0.1:9")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("proxy", ["gopher://127.0.0.1:9", ":::9::"])
def test_a_proxy_that_cannot_be_one_is_told_in_one_line(home: Home, proxy: str):
    done = atelier("ingest", home=home.root, ALL_PROXY=proxy)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "the proxy that the environment names can't be used" in done.stderr


def test_the_client_asks_this_machine_directly_and_others_through_the_proxy(
    monkeypatch: pytest.MonkeyPatch, proxied: tuple[str, list[str]]
):
    address, asked = proxied
    for name in NAMES:
        monkeypatch.setenv(name, address)
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    with Atelier("http://localhost:9") as service, pytest.raises(AtelierError, match="can't be reached"):
        service.runs()
    assert asked == []
    with Atelier("http://models.invalid") as service, pytest.raises(AtelierError, match="503"):
        service.runs()
    assert asked == ["GET http://models.invalid/api/runs HTTP/1.1\r\n"]


def test_a_client_says_which_package_a_proxy_takes(monkeypatch: pytest.MonkeyPatch):
    def lacking(**settings: object) -> None:
        raise ImportError("Using SOCKS proxy, but the 'socksio' package is not installed.")

    monkeypatch.setattr(httpx, "Client", lacking)
    with pytest.raises(InvalidInput, match="'socksio' package is not installed"):
        http_client()


def test_what_needs_no_proxy_already_stays_and_loopback_is_added_once():
    environment = {"NO_PROXY": "example.org, localhost"}
    for _ in range(2):
        bypass_loopback(environment)
        for name in ("NO_PROXY", "no_proxy"):
            hosts = environment[name].split(",")
            assert hosts[:2] == ["example.org", "localhost"]
            assert sorted(hosts) == sorted({"example.org", *LOOPBACK})
