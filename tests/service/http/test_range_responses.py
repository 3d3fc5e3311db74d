import pytest
from starlette.requests import Request

from service.http.range_responses import range_response

CONTENT = bytes(range(100))
OWN = {"etag": '"abc"'}


def answered(**headers: str):
    scope = {"type": "http", "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()]}
    return range_response(Request(scope), CONTENT, "application/octet-stream", OWN)


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [("0-0", 0, 1), ("10-19", 10, 20), ("90-", 90, 100), ("-5", 95, 100), ("-500", 0, 100), ("95-500", 95, 100)],
)
def test_a_range_gets_that_part(asked: str, start: int, stop: int) -> None:
    answer = answered(range=f"bytes={asked}")
    assert (answer.status_code, answer.body) == (206, CONTENT[start:stop])
    assert answer.headers["content-range"] == f"bytes {start}-{stop - 1}/100"
    assert answer.headers["content-length"] == str(stop - start)


@pytest.mark.parametrize(
    "asked",
    ["", "bytes=", "bytes=-", "bytes=5-2", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=" + "9" * 40 + "-"],
)
def test_what_is_no_single_range_gets_the_whole(asked: str) -> None:
    answer = answered(range=asked)
    assert (answer.status_code, answer.body) == (200, CONTENT)
    assert answer.headers["accept-ranges"] == "bytes"


@pytest.mark.parametrize("asked", ["100-", "100-200", "-0"])
def test_a_range_behind_the_end_gets_416_with_the_size(asked: str) -> None:
    answer = answered(range=f"bytes={asked}")
    assert (answer.status_code, answer.headers["content-range"]) == (416, "bytes */100")


def test_a_range_of_another_version_gets_the_whole() -> None:
    assert answered(range="bytes=0-1", if_range='"abc"').status_code == 206
    assert answered(range="bytes=0-1", if_range='"other"').status_code == 200
