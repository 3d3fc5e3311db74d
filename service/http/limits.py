"""What a request may cost, held before anything looks into its body."""

import asyncio
from dataclasses import dataclass

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.problems import too_large, too_slow


@dataclass(frozen=True)
class Limits:
    """head: bytes of a request's line and headers, where what comes with them in one read isn't counted exactly; and
    of a body without pixels. body: bytes of one with pixels. images: examples a request. read_s: seconds in which
    the head must have arrived, and then the body. predict_s: seconds that a prediction may take. streams: live pages
    at a time. models: kept ready.
    """

    head: int = 64 * 2**10
    body: int = 16 * 2**20
    images: int = 1024
    read_s: float = 20.0
    predict_s: float = 30.0
    streams: int = 64
    models: int = 8


class _TooLarge(Exception):
    """The body went past its limit."""


class LimitBody:
    """ASGI middleware: answers 413 to a body that is too large and 408 to one that doesn't arrive in time."""

    def __init__(self, app: ASGIApp, limits: Limits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or (scope["method"] in ("GET", "HEAD") and not _has_body(scope)):
            await self._app(scope, receive, send)
            return
        # Only what has pictures or pixels needs room: other bodies are taken apart before a token is looked at.
        most = self._limits.body if scope["path"].endswith(("/predict", "/infer")) else self._limits.head
        body = bytearray()
        try:
            async with asyncio.timeout(self._limits.read_s):
                more = _declared(scope) <= most
                if not more:
                    raise _TooLarge
                while more:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        return
                    body += message.get("body", b"")
                    more = message.get("more_body", False)
                    if len(body) > most:
                        raise _TooLarge
        except _TooLarge:
            await too_large(scope["path"], most)(scope, receive, send)
            return
        except TimeoutError:
            await too_slow(scope["path"], self._limits.read_s)(scope, receive, send)
            return
        await self._app(scope, _replay(bytes(body), receive), send)


def _has_body(scope: Scope) -> bool:
    return any(name in (b"content-length", b"transfer-encoding") for name, _ in scope["headers"])


def _declared(scope: Scope) -> int:
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value) if value.isdigit() and len(value) < 16 else 2**62
    return 0


def _replay(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
