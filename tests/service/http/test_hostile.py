"""Inputs that mean harm, by name, with the answer each gets; docs/http.md has the same table."""

import json
import socket
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from service.home import Home
from tests.service.http.conftest import LIMITS
from tests.service.http.serving import serving

PREDICT, INFER = "/api/models/lenet/predict", "/v2/models/lenet/infer"
IMAGE = [[0] * 28 for _ in range(28)]


def chunk(kind: bytes, content: bytes) -> bytes:
    return len(content).to_bytes(4, "big") + kind + content + zlib.crc32(kind + content).to_bytes(4, "big")


def png_of(width: int, height: int, content: bytes) -> bytes:
    head = width.to_bytes(4, "big") + height.to_bytes(4, "big") + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", content) + chunk(b"IEND", b"")


PICTURES = {
    "a decompression bomb": png_of(20000, 20000, zlib.compress(bytes(10**6))),
    "huge dimensions": png_of(2**31 - 1, 2**31 - 1, b""),
    "no pixels at all": png_of(0, 0, b""),
    "a picture cut short": png_of(28, 28, b"\x78\x9c")[:40],
    "no picture": b"GIF89a" + bytes(100),
    "a picture of another format": b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    "nothing": b"",
}


def form(content: bytes, count: int) -> list[tuple[str, tuple[str, bytes, str]]]:
    return [("file", ("a.png", content, "image/png"))] * count


@pytest.mark.slow
def test_pictures_of_too_many_pixels_in_all_are_refused_before_they_are_decoded(http: httpx.Client) -> None:
    answer = http.post(PREDICT, files=form(png_of(4096, 4096, b""), 5))
    assert (answer.status_code, "in all" in answer.text) == (422, True)


def test_large_pictures_keep_nobody_waiting(http: httpx.Client) -> None:
    files = form(png_of(4096, 4096, zlib.compress(bytes(4096 * 4097))), 4)
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(http.post, PREDICT, files=files)
        meanwhile = 0
        while not asked.done():
            meanwhile += http.get("/health").status_code == 200
    assert asked.result().status_code == 200
    assert meanwhile > 5  # one or two if they had to wait for the pictures


@pytest.mark.parametrize("content", PICTURES.values(), ids=PICTURES.keys())
def test_a_bad_picture_is_refused(http: httpx.Client, content: bytes) -> None:
    answer = http.post(PREDICT, content=content, headers={"content-type": "image/png"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


BODIES = {
    "NaN": b'{"pixels": [[NaN]]}',
    "very deep JSON": b'{"pixels": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "half a document": b'{"pixels": [[0',
    "no object": b"[]",
    "bytes that aren't UTF-8": b'{"pixels": "\xff\xfe"}',
    "ragged rows": b'{"pixels": [[0], [0, 0]]}',
    "numbers out of range": str({"pixels": [[256] * 28] * 28}).replace("'", '"').encode(),
    "a number beyond all": b'{"pixels": [[1e999]]}',
    "numbers from 0 to 1": str({"pixels": [[0.25] * 28] * 28}).replace("'", '"').encode(),
    "a scale of nothing": str({"pixels": IMAGE, "scale": 0}).replace("'", '"').encode(),
    "strings for numbers": str({"pixels": [["1"] * 28] * 28}).replace("'", '"').encode(),
    "no pixels": b"{}",
    "an object for an image": json.dumps({"pixels": [IMAGE, {str(row): 0 for row in range(28)}]}).encode(),
    "a number for an image": json.dumps({"pixels": [IMAGE, 5]}).encode(),
    "very many lists": b'{"pixels": [' + b"[]," * 150_000 + b"[]]}",
    "too many images": str({"pixels": [IMAGE] * (LIMITS.images + 1)}).replace("'", '"').encode(),
}


@pytest.mark.parametrize("content", BODIES.values(), ids=BODIES.keys())
def test_bad_json_is_refused(http: httpx.Client, content: bytes) -> None:
    answer = http.post(PREDICT, content=content, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")


def tensor(**changes: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "pixels", "shape": [1, 1, 28, 28], "datatype": "FP32", "data": [0] * 784, **changes}]}


TENSORS = {
    "a wrong dtype": tensor(datatype="FP64"),
    "a dtype that is no text": tensor(datatype=["FP32"]),
    "a wrong shape": tensor(shape=[1, 784]),
    "a negative size": tensor(shape=[-1, 1, 28, 28]),
    "huge dimensions": tensor(shape=[2**62, 1, 28, 28]),
    "fewer numbers than the shape": tensor(data=[0]),
    "numbers that float32 can't hold": tensor(data=[1e300] * 784),
    "bytes in a tensor of floats": tensor(data=[0, 255] * 392),
    "floats below black": tensor(data=[-1, 0.5] * 392),
    "bytes of 0 and 1": tensor(datatype="UINT8", data=[0, 1] * 392),
    "another input": tensor(name="images"),
    "no data": tensor(data=None),
    "long words among numbers": tensor(data=["a" * 1000, *[0] * 783]),
    "many numbers, few asked for": tensor(data=[0] * 300_000),
    "truth for numbers": tensor(data=[True] * 784),
    "ragged data": tensor(data=[[0], [0, 0]]),
    "a binary size of nothing": tensor(parameters={"binary_data_size": 3136}),
    "no inputs": {},
    "inputs of another kind": {"inputs": {"pixels": 1}},
}


@pytest.mark.parametrize("body", TENSORS.values(), ids=TENSORS.keys())
def test_a_bad_tensor_is_refused_in_the_form_of_the_protocol(http: httpx.Client, body: dict[str, Any]) -> None:
    answer = http.post(INFER, json=body)
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/models/..%2F..%2Fetc/versions/1",
        "/api/models/lenet/versions/1/files/..%2f..%2faliases.json",
        "/api/models/lenet/versions/..%2f1",
        "/api/models/lenet/versions/1/files/manifest.json%00",
        "/api/runs/..%2f..%2fmodels",
        "/api/runs/" + "x" * 5000,
        "/static/..%2f..%2fapp.py",
        "/models/%2e%2e/1",
        "/images/..%2f..%2fdata/0.png",
        "/v2/models/..%2flenet",
    ],
)
def test_a_path_out_of_its_folder_leads_nowhere(http: httpx.Client, path: str) -> None:
    assert http.get(path).status_code in (400, 404, 422)


def test_a_body_past_the_limit_is_refused_before_it_is_read(http: httpx.Client) -> None:
    for path in (PREDICT, INFER):
        answer = http.post(path, content=bytes(LIMITS.body + 1), headers={"content-type": "application/json"})
        assert answer.status_code == 413


def test_a_media_type_that_isnt_known_is_refused(http: httpx.Client) -> None:
    assert http.post(PREDICT, content=b"x", headers={"content-type": "text/plain"}).status_code == 415
    assert http.post(PREDICT, content=b"x", headers={"content-type": "multipart/form-data"}).status_code in (400, 422)


def test_a_client_that_dawdles_is_refused_and_keeps_nobody_waiting(impatient: httpx.Client) -> None:
    port = impatient.base_url.port
    with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
        slow.sendall(f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n".encode())
        with socket.create_connection(("127.0.0.1", port), timeout=60) as quick:
            quick.sendall(b"GET /health HTTP/1.1\r\nHost: x\r\n\r\n")
            assert b"200 OK" in quick.recv(100)
        assert b"408" in slow.recv(100)


def test_nothing_of_this_machine_is_told_when_something_breaks(tmp_path: Path) -> None:
    home = Home(tmp_path)
    (tmp_path / "models" / "lenet" / "1").mkdir(parents=True)
    (tmp_path / "models" / "lenet" / "1" / "manifest.json").write_text("{}")
    with serving(home) as http:
        answer = http.get("/api/models/lenet/versions/1")
        assert answer.status_code == 500
        assert str(tmp_path) not in answer.text


def test_a_body_without_pixels_has_little_room(http: httpx.Client) -> None:
    body = b"[" + b"[]," * 30_000 + b"[]]"
    headers = {"content-type": "application/json"}
    assert http.put("/api/models/lenet/aliases/staging", content=body, headers=headers).status_code == 413
