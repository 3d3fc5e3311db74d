"""Request bodies: strict JSON, without NaN, and not nested without end."""

from typing import Any

import orjson

from service.errors import InvalidInput


def json_object(body: bytes) -> dict[str, Any]:
    """The JSON object in a body. Raises InvalidInput, also for NaN and for more levels than the parser goes down."""
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInput(f"the body is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise InvalidInput("the body must be a JSON object")
    return value
