"""Bodies: compressed ones are read, and the limit is one of what they become."""

import gzip
import json
import zlib

import httpx
import numpy as np
import pytest

from service.http.errors import HttpError
from service.http.middleware.body_limits import decompress
from tests.service.http.conftest import LIMITS
from tests.service.http.test_api import RANDOM, ask, png

PREDICT, INFER = "/api/models/lenet/predict", "/v2/models/lenet/infer"
BODY = json.dumps({"pixels": RANDOM.tolist()}).encode()


def raw_deflate(content: bytes) -> bytes:
    stream = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return stream.compress(content) + stream.flush()


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("deflate", raw_deflate), ("identity", bytes)],
    ids=["gzip", "zlib", "raw deflate", "identity"],
)
def test_a_compressed_body_is_answered_as_it_is_without(http: httpx.Client, encoding: str, compress: type) -> None:
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    answer = http.post(PREDICT, content=compress(BODY), headers=headers)
    assert answer.json() == ask(http, RANDOM.tolist()).json()


def test_a_compressed_picture_and_tensor_are_answered(http: httpx.Client) -> None:
    headers = {"content-encoding": "gzip", "content-type": "image/png"}
    assert http.post(PREDICT, content=gzip.compress(png(RANDOM[0])), headers=headers).status_code == 200
    data = np.full(784, 7).tolist()
    body = {"inputs": [{"name": "pixels", "shape": [1, 1, 28, 28], "datatype": "UINT8", "data": data}]}
    headers["content-type"] = "application/json"
    answer = http.post(INFER, content=gzip.compress(json.dumps(body).encode()), headers=headers)
    assert answer.json() == http.post(INFER, json=body).json()


@pytest.mark.parametrize(("path", "limit"), [(PREDICT, LIMITS.body), ("/api/models/lenet/aliases/x", LIMITS.head)])
def test_the_limit_holds_for_what_a_body_becomes(http: httpx.Client, path: str, limit: int) -> None:
    bomb = gzip.compress(bytes(limit + 1))
    assert len(bomb) < limit / 10
    headers = {"content-encoding": "gzip", "content-type": "application/json"}
    method = "POST" if path == PREDICT else "PUT"
    assert http.request(method, path, content=bomb, headers=headers).status_code == 413


def test_no_more_is_decompressed_than_the_limit() -> None:
    """A bomb of a gigabyte takes no memory."""
    stream = zlib.compressobj(wbits=31)
    first, again = (stream.compress(bytes(2**20)) + stream.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    bomb = first + 1023 * again  # a flushed megabyte needs nothing of those before it
    with pytest.raises(HttpError, match="may have 1000 bytes"):
        decompress(bomb, b"gzip", 1000)
    assert decompress(gzip.compress(bytes(1000)), b"gzip", 1000) == bytes(1000)
    with pytest.raises(HttpError, match="may have 1000 bytes"):
        decompress(gzip.compress(bytes(501)) * 2, b"gzip", 1000)


def test_a_gzip_body_may_have_several_members() -> None:
    assert decompress(gzip.compress(b"one ") + gzip.compress(b"two"), b"gzip", 1000) == b"one two"
    with pytest.raises(HttpError, match="can't be decompressed"):
        decompress(gzip.compress(b"one ") + b"two", b"gzip", 1000)
    with pytest.raises(HttpError, match="can't be decompressed"):
        decompress(gzip.compress(b"") * 65, b"gzip", 1000)


@pytest.mark.parametrize(
    ("encoding", "content", "status"),
    [
        ("gzip", b"no gzip", 400),
        ("gzip", gzip.compress(BODY)[:-9], 400),
        ("gzip", gzip.compress(BODY) + b"trailing", 400),
        ("deflate", b"no deflate", 400),
        ("br", BODY, 415),
        ("gzip, gzip", gzip.compress(gzip.compress(BODY)), 415),
    ],
)
def test_what_cannot_be_decompressed_is_refused(http: httpx.Client, encoding: str, content: bytes, status: int) -> None:
    headers = {"content-encoding": encoding, "content-type": "application/json"}
    answer = http.post(PREDICT, content=content, headers=headers)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")


def test_a_compressed_request_is_counted_under_its_route(http: httpx.Client) -> None:
    headers = {"content-encoding": "gzip", "content-type": "image/png"}
    http.post(PREDICT, content=gzip.compress(b"no picture"), headers=headers)
    counted = http.get("/metrics").text
    assert 'atelier_requests_total{route="/api/models/{name}/predict",status="422"}' in counted
