"""The body of a request, held to a size before anything looks into it, and decompressed."""

import zlib
from contextlib import suppress

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.errors import HttpError, error_response
from service.http.limits import Limits

GZIP = 16 + zlib.MAX_WBITS
"""What zlib calls the gzip format."""

MOST_MEMBERS = 64
"""How many members a gzip body may have: each costs a copy of those behind it."""

UNKNOWN_LENGTH = 2**62


class BodyLimitMiddleware:
    """ASGI middleware: hands on bodies that are whole, within the limits, and decompressed.

    A body that is too large gets 413, one of an encoding other than gzip or deflate 415, and one that can't be
    decompressed 400. How long it may take to arrive, `request_limits` holds.
    """

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] in ("GET", "HEAD") and not _has_body(scope)):
            await self._app(scope, receive, send)
            return
        # Only a body of pictures or pixels needs room: others are parsed before a token is looked at.
        has_pixels = scope["path"].endswith(("/predict", "/infer"))
        limit = self._limits.body if has_pixels else self._limits.head
        length, encoding = _length_and_encoding(scope)
        try:
            if length > limit:
                raise _too_large(limit)
            body = await _read(receive, limit)
            if body is None:
                return
            if encoding not in (b"", b"identity"):
                body = decompress(body, encoding, limit)
                # In place: whoever counts requests reads the route that the framework writes into this very scope.
                scope["headers"] = _decompressed_headers(scope, len(body))
        except HttpError as error:
            await error_response(scope["path"], error)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)


def decompress(body: bytes, encoding: bytes, limit: int) -> bytes:
    """A gzip or deflate body as it was before compression. Raises HttpError, also where it has more bytes than `limit`.

    No more than `limit` bytes are ever made, whatever the body would become.
    """
    if encoding not in (b"gzip", b"x-gzip", b"deflate"):
        raise HttpError(415, "the body may be compressed as gzip or deflate, and as nothing else")
    formats = (GZIP,) if encoding != b"deflate" else (zlib.MAX_WBITS, -zlib.MAX_WBITS)
    for window in formats:  # deflate is sent with zlib's header and, by some, without
        with suppress(zlib.error):
            return _inflate(body, window, limit)
    raise HttpError(400, f"the body can't be decompressed as {encoding.decode()}")


def _inflate(body: bytes, window: int, limit: int) -> bytes:
    """Raises zlib.error where it is cut short or something else follows; a gzip body may have several members."""
    content = b""
    for _ in range(MOST_MEMBERS):
        stream = zlib.decompressobj(window)
        content += stream.decompress(body, limit + 1 - len(content))
        if len(content) > limit:
            raise _too_large(limit)
        if not stream.eof or (stream.unused_data and window != GZIP):
            raise zlib.error("incomplete, or not alone")
        body = stream.unused_data
        if not body:
            return content
    raise zlib.error("too many members")


async def _read(receive: Receive, limit: int) -> bytes | None:
    """The whole body, or None where the client has gone. Raises HttpError."""
    body = bytearray()
    more = True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        body += message.get("body", b"")
        more = message.get("more_body", False)
        if len(body) > limit:
            raise _too_large(limit)
    return bytes(body)


def _too_large(limit: int) -> HttpError:
    return HttpError(413, f"a request body may have {limit} bytes", close=True)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _length_and_encoding(scope: Scope) -> tuple[int, bytes]:
    """What the headers say of the body: its bytes, 0 where they don't say it, and how it is compressed."""
    length, encoding = 0, b""
    for name, value in scope["headers"]:
        if name == b"content-length":
            length = int(value) if value.isdigit() and len(value) < 16 else UNKNOWN_LENGTH
        elif name == b"content-encoding":
            encoding = value.strip().lower()
    return length, encoding


def _decompressed_headers(scope: Scope, length: int) -> list[tuple[bytes, bytes]]:
    replaced = (b"content-encoding", b"content-length", b"transfer-encoding")
    kept = [(name, value) for name, value in scope["headers"] if name not in replaced]
    return [*kept, (b"content-length", str(length).encode())]


def _replay(body: bytes, receive: Receive) -> Receive:
    """A `receive` that gives the body once, and then whatever the connection says."""
    is_sent = False

    async def replayed() -> Message:
        nonlocal is_sent
        if is_sent:
            return await receive()
        is_sent = True
        return {"type": "http.request", "body": body, "more_body": False}

    return replayed
