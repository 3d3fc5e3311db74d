"""The round log in a bucket: segments `log/<number>.jsonl`, a few lines each, which are written once and never change.

Their lines after each other are what `rounds.jsonl` holds in a folder, with one more kind among them. Whoever opens the
log for writing begins with a `fence`: its lease's number. A segment is written only where there is none. So of two
processes that believe to have the run one comes first, and the other one's next segment is refused.
"""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache

from service.errors import NotFound, RunError
from service.runs.chain import GENESIS, Entry, checked
from service.storage import Address, Bucket, objects_at

FOLDER = "log"

FENCE = "fence"
"""The kind of the line that a process begins with. Nobody but who writes the log looks at it."""

KEPT_SEGMENTS = 2048
"""How many segments a process remembers: they don't change."""

AT_A_TIME = 64
"""Segments that are asked for together."""


def segment_key(number: int) -> str:
    """Where a segment lies."""
    return f"{FOLDER}/{number:08}.jsonl"


def lines(address: Address, bucket: Bucket) -> Iterator[tuple[str, bytes]]:
    """Every line of the log, and where its segment lies. Raises RunError where a segment is missing."""
    tags = bucket.tags(FOLDER)
    for number, key in enumerate(tags):
        if key != segment_key(number):
            raise RunError(f"{bucket.root}/{segment_key(number)} is missing: the round log is damaged")
    for key, content in _contents(address, bucket, tags):
        yield from ((f"{bucket.root}/{key}", line) for line in split_lines(content))


def entries(address: Address, bucket: Bucket) -> Iterator[Entry]:
    """Every entry of the log, without fences, checked against the chain. Raises RunError where that is broken."""
    previous = GENESIS
    for where, line in lines(address, bucket):
        previous = checked(where, line, previous)
        entry = json.loads(line)
        if entry["kind"] != FENCE:
            yield entry


def tail(address: Address, bucket: Bucket, position: int) -> tuple[list[Entry], int]:
    """The entries from segment number `position` on, and the number of segments by now; see `Run.tail`."""
    tags = bucket.tags(FOLDER, segment_key(position - 1) if position else "")
    found = []
    for key, content in _contents(address, bucket, tags):
        try:
            found += [json.loads(line) for line in split_lines(content)]
        except ValueError as error:
            raise RunError(f"{bucket.root}/{key} is damaged: {error}") from None
    return [entry for entry in found if entry["kind"] != FENCE], position + len(tags)


def split_lines(content: bytes) -> list[bytes]:
    """The lines of a segment, each with its line feed."""
    return [line + b"\n" for line in content.split(b"\n")[:-1]]


def _contents(address: Address, bucket: Bucket, tags: dict[str, str]) -> Iterator[tuple[str, bytes]]:
    keys = list(tags)
    for first in range(0, len(keys), AT_A_TIME):
        some = keys[first : first + AT_A_TIME]
        with ThreadPoolExecutor(min(bucket.concurrency, len(some))) as pool:
            yield from zip(some, pool.map(lambda key: _content(address, key, tags[key]), some), strict=True)


@lru_cache(maxsize=KEPT_SEGMENTS)
def _content(address: Address, key: str, tag: str) -> bytes:
    """A segment. tag: its ETag, so that another object in its place is another segment."""
    try:
        return objects_at(address, patient=True).read(key)
    except NotFound:
        raise RunError(f"{address}/{key} is missing: the round log is damaged") from None
