"""What means harm below HTTP's surface: heads, lengths and connections, written byte by byte."""

import json
import socket
import threading
from dataclasses import replace
from pathlib import Path
from time import sleep

import httpx
import pytest

from service.config import TrainConfig
from service.home import Home
from service.runs import RoundLog, RunFolder
from tests.service.http.conftest import LIMITS
from tests.service.http.serving import serving

GET = b"GET /health HTTP/1.1\r\nHost: x\r\n"
LIVE = GET.replace(b"/health", b"/api/runs/endless/events") + b"\r\n"
POST = b"POST /api/models/lenet/predict HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"


def talk(http: httpx.Client, *sent: bytes) -> bytes:
    """All that the server says until it hangs up."""
    with socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) as connection:
        said = b""
        try:
            for part in sent:
                connection.sendall(part)
            while part := connection.recv(65536):
                said += part
        except ConnectionError:  # it hung up on what it didn't read
            pass
        return said


def status(said: bytes) -> int:
    return int(said.split()[1])


UNCLEAR = {
    "two lengths": POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}x",
    "a length and chunks": POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" + GET,
    "an unknown transfer coding": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks that aren't the last coding": POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
    "a space before the colon": POST + b"Content-Length : 2\r\n\r\n{}",
    "a length with a sign": POST + b"Content-Length: +2\r\n\r\n{}",
    "a length past all": POST + b"Content-Length: 99999999999999999999999\r\n\r\n",
    "a chunk past all": POST + b"Transfer-Encoding: chunked\r\n\r\nFFFFFFFFFFFFFFFFFF\r\n",
    "NUL in the path": b"GET /he\0alth HTTP/1.1\r\nHost: x\r\n\r\n",
    "no HTTP": b"\x16\x03\x01\x02\x00\x01\x00",
}


@pytest.mark.parametrize("sent", UNCLEAR.values(), ids=UNCLEAR.keys())
def test_a_request_that_could_be_read_in_two_ways_is_refused_and_ends_the_connection(
    http: httpx.Client, sent: bytes
) -> None:
    said = talk(http, sent)
    head, _, body = said.partition(b"\r\n\r\n")
    assert (status(said), said.count(b"HTTP/1.1")) == (400, 1)
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["status"] == 400


def test_a_head_past_the_limit_is_refused(http: httpx.Client) -> None:
    for sent in (GET + b"X: " + b"a" * 2**20, GET + b"a: b\r\n" * 10**5, b"GET /" + b"a" * 2**20):
        said = talk(http, sent)
        # Who goes on sending may lose the answer with the connection.
        assert not said or status(said) in (400, 431)
    assert status(talk(http, GET + b"X: " + b"a" * LIMITS.head)) == 431


def head_of(size: int, name: bytes = b"X") -> bytes:
    """A request that is whole, with a head of so many bytes."""
    rest = GET + b"Connection: close\r\n" + name + b": "
    return rest + b"a" * (size - len(rest) - len(b"\r\n\r\n")) + b"\r\n\r\n"


def test_the_limit_is_exact_for_a_head_that_comes_in_one_read(http: httpx.Client) -> None:
    assert len(head_of(LIMITS.head)) == LIMITS.head
    assert status(talk(http, head_of(LIMITS.head))) == 200
    assert status(talk(http, head_of(LIMITS.head + 1))) == 431
    assert status(talk(http, head_of(120_000))) == 431
    target = b"GET /health?" + b"a" * 120_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n"
    assert status(talk(http, target)) == 431


def test_each_of_many_requests_on_a_connection_has_the_whole_limit(http: httpx.Client) -> None:
    keep = head_of(LIMITS.head - 1000).replace(b"Connection: close", b"Connection: open!")
    with socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) as connection:
        for _ in range(3):
            connection.sendall(keep)
            assert status(connection.recv(65536)) == 200


def test_what_trails_a_body_counts_as_its_head_does(http: httpx.Client) -> None:
    body = b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n"
    said = talk(http, POST + body, b"X: " + b"a" * 2**20)
    assert not said or status(said) == 431


@pytest.mark.parametrize("sent", [b"", b"GET /hea", GET])
def test_a_head_that_does_not_arrive_is_not_waited_for(impatient: httpx.Client, sent: bytes) -> None:
    assert status(talk(impatient, sent)) == 408


def test_the_next_head_on_a_connection_is_not_waited_for_either(impatient: httpx.Client) -> None:
    said = talk(impatient, GET + b"\r\n" + GET)
    assert said.count(b"HTTP/1.1 200") == 1
    assert said.count(b"HTTP/1.1 408") == 1


def test_a_blank_line_after_an_answer_keeps_no_connection(impatient: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", impatient.base_url.port), timeout=60) as connection:
        connection.sendall(GET + b"\r\n")
        assert status(connection.recv(65536)) == 200
        connection.sendall(b"\n")
        rest = b""
        while part := connection.recv(65536):
            rest += part
    assert not rest or status(rest) == 408


def test_the_body_of_a_get_has_the_limits_of_others(impatient: httpx.Client) -> None:
    assert status(talk(impatient, GET, b"Content-Length: 99999999\r\n\r\n")) == 413
    assert status(talk(impatient, GET, b"Content-Length: 5\r\n\r\nhell")) == 408


def test_requests_sent_at_once_are_answered_in_their_order(http: httpx.Client) -> None:
    last = GET.replace(b"/health", b"/api/models/lenet") + b"Connection: close\r\n\r\n"
    said = talk(http, (GET + b"\r\n") * 50 + last)
    assert said.count(b"HTTP/1.1 200") == 51
    assert said.endswith(http.get("/api/models/lenet").content)


def test_head_is_answered_as_get_is_without_a_body(http: httpx.Client) -> None:
    for path in ("/", "/health", "/v2", "/api/models/lenet/versions/1/files/model.onnx"):
        there, here = http.get(path), http.head(path)
        assert (here.status_code, here.content) == (200, b"")
        assert here.headers["content-length"] == there.headers["content-length"]
    assert http.head("/api/models/nobody").status_code == 404
    assert http.head("/api/models/lenet/predict").status_code == 405


def test_a_body_that_came_in_two_pieces_is_not_late_afterwards(impatient: httpx.Client) -> None:
    with socket.create_connection(("127.0.0.1", impatient.base_url.port), timeout=60) as connection:
        connection.sendall(POST + b"Content-Length: 2\r\n\r\n{")
        sleep(0.05)  # so that the pieces are read one by one
        connection.sendall(b"}")
        assert status(connection.recv(65536)) == 422
        connection.settimeout(1.5)
        with pytest.raises(TimeoutError):  # neither another answer nor the end of the connection
            connection.recv(65536)


@pytest.fixture
def endless(tmp_path: Path) -> Home:
    """A home with a run whose live page has no end before `end`."""
    home = Home(tmp_path)
    home.prepare()
    folder = RunFolder.create(tmp_path / "runs", "endless", TrainConfig(), None)
    with RoundLog(folder.log) as log:
        log.append("begin", rounds_done=0)
    return home


def end(home: Home) -> None:
    with RoundLog(RunFolder(home.root / "runs" / "endless").log) as log:
        log.append("end", outcome="finished")


@pytest.mark.parametrize("begun", [POST, POST + b"Content-Length: 100\r\n\r\n{"], ids=["head", "body"])
def test_what_waits_behind_another_request_is_late_only_after_that(endless: Home, begun: bytes) -> None:
    with (
        serving(endless, limits=replace(LIMITS, read_s=0.3)) as http,
        socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) as connection,
    ):
        connection.sendall(LIVE + begun)
        threading.Timer(1.2, end, [endless]).start()
        said = b""
        while part := connection.recv(65536):
            said += part
    first, _, second = said.partition(b"HTTP/1.1 408")
    assert b"event: end" in first
    assert b"did not arrive within 0.3 seconds" in second


def test_a_body_that_was_not_read_while_another_request_was_answered_has_its_time_afterwards(endless: Home) -> None:
    with (
        serving(endless, limits=replace(LIMITS, read_s=1.0)) as http,
        socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) as connection,
    ):
        connection.sendall(LIVE + POST + b"Content-Length: 2\r\nConnection: close\r\n\r\n{")
        sleep(1.7)  # the time of the body began once more after a second
        end(endless)
        sleep(0.6)
        connection.sendall(b"}")
        said = b""
        while part := connection.recv(65536):
            said += part
    assert b"event: end" in said
    assert b"HTTP/1.1 408" not in said


def test_a_late_body_is_refused_in_the_form_of_its_path(impatient: httpx.Client) -> None:
    infer = POST.replace(b"/api/models/lenet/predict", b"/v2/models/lenet/infer")
    head, _, body = talk(impatient, infer + b"Content-Length: 100\r\n\r\n{").partition(b"\r\n\r\n")
    assert status(head) == 408
    assert b"content-type: application/json" in head
    assert "did not arrive" in json.loads(body)["error"]


def test_live_pages_past_the_limit_are_refused_also_when_all_come_at_once(endless: Home) -> None:
    with serving(endless, limits=replace(LIMITS, streams=2)) as http:
        pages = [socket.create_connection(("127.0.0.1", http.base_url.port), timeout=60) for _ in range(12)]
        for page in pages:
            page.sendall(LIVE)
        answers = sorted(status(page.recv(65536)) for page in pages)
        for page in pages:
            page.close()
        assert answers == [200] * 2 + [503] * 10
