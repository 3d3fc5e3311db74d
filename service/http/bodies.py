"""Request bodies: strict JSON, without NaN, and not nested without end or in very many parts."""

from typing import Any

import orjson

from service.errors import InvalidInput

PARTS = 100_000
"""Lists, objects and named values that a body may have: more are slow to make, and a thousand images are 30,000."""


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises InvalidInput, also for NaN and for more levels than the parser goes down."""
    if sum(map(body.count, b"[{:")) > PARTS:
        raise InvalidInput(f"the body may have {PARTS:,} lists, objects and named values")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object")
    return value
