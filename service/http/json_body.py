"""Request bodies: strict JSON, without NaN, of bounded depth and number of values."""

from typing import Any

import numpy as np
import orjson

from service.errors import InvalidInput

MAX_NODES = 100_000
"""Lists, objects and named values that a body may have: more are slow to make, and a thousand images are 30,000."""

MIN_NODE_BYTES = 3
"""Bytes that the shortest of them takes with its comma; a small body needn't be looked through."""


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises InvalidInput, also for NaN and for more levels than the parser goes down."""
    if len(body) > MIN_NODE_BYTES * MAX_NODES and _count_nodes(body) > MAX_NODES:
        raise InvalidInput(f"the body may have {MAX_NODES:,} lists, objects and named values")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object")
    return value


def _count_nodes(body: bytes) -> int:
    """How many lists, objects and named values there are, or more where text has their characters."""
    array = np.frombuffer(body, np.uint8)
    return sum(int(np.count_nonzero(array == character)) for character in b"[{:")
