"""What readers of large data ask of a folder and of a bucket, and which addresses there are."""

import socket
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from uuid import uuid4

import pytest

from service.errors import InvalidInput, NotFound, StorageError
from service.storage import Address, Bucket, Objects, Place, objects_at, place_of
from service.storage import bucket as bucket_module
from tests.object_storage import new_bucket, trouble

CONTENT = bytes(range(250))


@pytest.fixture
def filled(place: Path | str, tmp_path: Path) -> Place:
    """A place with two objects, one of them empty."""
    found = place_of(str(place))
    for key, content in (("a/b.bin", CONTENT), ("empty", b"")):
        if isinstance(found, Path):
            (found / key).parent.mkdir(parents=True, exist_ok=True)
            (found / key).write_bytes(content)
        else:
            Bucket(found).put(key, content)
    return found


@pytest.fixture
def objects(filled: Place) -> Objects:
    return objects_at(filled)


def test_objects_are_read_whole_and_in_part(objects: Objects):
    assert objects.read("a/b.bin") == CONTENT
    assert objects.read_range("a/b.bin", 3, 4) == CONTENT[3:7]
    assert objects.read_range("a/b.bin", 0, 250) == CONTENT
    assert objects.read_end("a/b.bin", 6) == (CONTENT[-6:], 250)
    assert objects.read_end("a/b.bin", 250) == (CONTENT, 250)


def test_what_lies_behind_the_end_is_left_out(objects: Objects):
    assert objects.read_range("a/b.bin", 240, 20) == CONTENT[240:]
    assert objects.read_range("a/b.bin", 250, 20) == objects.read_range("a/b.bin", 400, 1) == b""
    assert objects.read_range("a/b.bin", 3, 0) == b""
    assert objects.read_end("a/b.bin", 300) == (CONTENT, 250)
    assert objects.read("empty") == objects.read_range("empty", 0, 5) == b""
    assert objects.read_end("empty", 5) == (b"", 0)


def test_objects_are_listed_with_their_sizes(filled: Place):
    assert objects_at(filled).sizes() == {"a/b.bin": 250, "empty": 0}
    assert objects_at(filled / "a").sizes() == {"b.bin": 250}
    assert objects_at(filled / "nothing").sizes() == {}


def test_an_object_that_isnt_there_is_not_found(objects: Objects):
    for ask in (objects.read, lambda key: objects.read_range(key, 0, 9), lambda key: objects.read_end(key, 9)):
        for key in ("missing", "a/b.bin/c"):
            with pytest.raises(NotFound, match="isn't there"):
                ask(key)


@pytest.fixture
def bucket(object_storage: str) -> Bucket:
    found = place_of(new_bucket(object_storage, f"bucket-{uuid4().hex[:12]}"))
    assert isinstance(found, Address)
    return Bucket(found)


def test_a_large_file_is_written_and_read_in_parts(bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bucket_module, "PART_BYTES", 5 << 20)  # the least that a storage takes
    content = b"".join(number.to_bytes(4, "big") for number in range(3_000_000))
    (tmp_path / "large").write_bytes(content)
    bucket.put("large", tmp_path / "large")
    assert bucket.read("large") == content
    assert bucket.read_range("large", (5 << 20) - 2, 4) == content[(5 << 20) - 2 :][:4]


def test_what_fails_for_a_while_is_tried_again(bucket: Bucket, object_storage: str):
    with trouble(object_storage, unsteady=2):
        for number in range(6):
            bucket.put(str(number), CONTENT)
            assert bucket.read(str(number)) == CONTENT
            assert bucket.read_range(str(number), 9, 9) == CONTENT[9:18]
        assert len(bucket.sizes()) == 6


@pytest.mark.parametrize("status", [429, 503])
def test_a_storage_that_is_busy_is_waited_for(bucket: Bucket, object_storage: str, status: int):
    bucket.put("key", CONTENT)
    with ThreadPoolExecutor(1) as pool:
        with trouble(object_storage, refused=status):
            reading = pool.submit(bucket.read, "key")
            time.sleep(2)  # longer than the library tries
            assert not reading.done()
        assert reading.result() == CONTENT


def test_a_storage_that_never_answers_is_given_up(bucket: Bucket, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(bucket_module, "MORE_PATIENCE_S", 2.0)
    for patient in (False, True):
        start = time.monotonic()
        with pytest.raises(StorageError, match=r"can't be reached at http://127\.0\.0\.1:9"):
            Bucket(Address("any"), patient=patient).read_range("key", 0, 1)
        assert time.monotonic() - start < 60  # it takes a second, and two with patience


class LateStorage(BaseHTTPRequestHandler):
    """Has one object."""

    def do_GET(self) -> None:
        self.send_response(206)
        headers = {"Content-Range": "bytes 0-249/250", "Content-Length": "250", "ETag": '"a"'}
        for name, value in {**headers, "Last-Modified": "Wed, 21 Oct 2015 07:28:00 GMT"}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(CONTENT)

    def log_message(self, *args: object) -> None: ...


def test_the_patient_ask_until_a_storage_is_there(object_storage: str, monkeypatch: pytest.MonkeyPatch):
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = free.getsockname()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{address[1]}")
    with ThreadPoolExecutor(1) as reader:
        waiting = reader.submit(Bucket(Address("any"), patient=True).read, "key")
        time.sleep(2)  # the library itself gives up after half a second
        assert not waiting.done()
        with HTTPServer(address, LateStorage) as server:
            serving = Thread(target=server.serve_forever)
            serving.start()
            try:
                assert waiting.result() == CONTENT
            finally:
                server.shutdown()
                serving.join()


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("s3://bucket", Address("bucket")),
        ("s3://bucket/", Address("bucket")),
        ("s3://bucket/a/b/", Address("bucket", "a/b")),
        ("/a/folder", Path("/a/folder")),
        ("folder", Path("folder").absolute()),
    ],
)
def test_a_place_is_an_address_or_a_folder(text: str, place: Place):
    assert place_of(text) == place
    assert str(place_of(str(place))) == str(place)


def test_addresses_are_put_together_like_paths():
    assert str(Address("b") / "x" / "y.zarr") == "s3://b/x/y.zarr"
    assert ((Address("b") / "x" / "y.zarr").name, Address("b").name) == ("y.zarr", "b")


@pytest.mark.parametrize("text", ["ftp://host/data", "s3://", "s3:///data", "s3://Bucket/x", "s3://any/a/../b"])
def test_an_address_of_another_kind_is_wrong_use(text: str):
    with pytest.raises(InvalidInput, match="data lie in a folder or at s3://bucket/prefix, got"):
        place_of(text, "data")


@pytest.mark.parametrize("name", ["AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_an_endpoint_without_a_scheme_is_refused_before_the_library_sees_it(name: str, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv(name, "localhost:9000")
    with pytest.raises(StorageError, match=f"{name} must be an address such as http://localhost:9000, got 'localhost"):
        Bucket(Address("any"))
