"""How long a request may take to arrive, and how large its head may be.

An ASGI application sees a request only after its head. The time of its body is held here too: it takes no timer for
those that come in one piece, which most do.
"""

from asyncio import BaseTransport, TimerHandle
from functools import partial
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.errors import problem_response
from service.http.limits import Limits

FIXED_BYTES = len("  HTTP/1.1\r\n\r\n")
"""Bytes of a head beside its method, its target and its header lines."""


class _HeadTooLarge(Exception):
    """Ends the parsing of a request."""


class RequestLimitProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for a request for ever and keeps whatever belongs to its head."""

    def __init__(self, *arguments: Any, limits: Limits, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._limits = limits

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]  # uvicorn states a narrower type than asyncio does
        self._is_arriving = True
        self._awaited = "request"
        self._is_head_too_large = False
        self._unparsed_bytes = 0  # received since a request, or a piece of its body, ended
        self._timer: TimerHandle | None = None
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > self._limits.head:
            self._refuse_head()
        elif self._is_arriving or (self._unparsed_bytes and self._is_answered()):
            # A blank line after a response begins no request for the parser, and stops uvicorn's own timer.
            self._start_timer()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._is_arriving = True

    def on_headers_complete(self) -> None:
        self._check_head()
        self._header_lines = len(self.headers)
        self._stop_timer()
        self._awaited = "request body"
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        if len(self.headers) > self._header_lines:  # there may be more behind a chunked body
            self._check_head()
        self._unparsed_bytes = 0
        self._is_arriving = False
        self._awaited = "request"
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._timer is not None:  # what is arriving was not read while this was answered
            self._stop_timer()
            self._start_timer()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn: what can't be parsed is refused in the form that other errors have."""
        if self._is_head_too_large:
            self._refuse_head()
        else:
            self._refuse(400, msg)

    def _check_head(self) -> None:
        """Whether a head that came together with its body, so that it was not waited for, has too many bytes."""
        lines = sum(len(name) + len(value) + len(": \r\n") for name, value in self.headers)
        if FIXED_BYTES + len(self.parser.get_method()) + len(self.url) + lines > self._limits.head:
            self._is_head_too_large = True
            raise _HeadTooLarge

    def _is_answered(self) -> bool:
        return self.cycle is not None and self.cycle.response_complete

    def _is_behind_others(self) -> bool:
        """Whether it is we who keep what is arriving waiting, since requests before it aren't answered yet."""
        if self._awaited == "request":
            return self.cycle is not None and not self._is_answered()
        return bool(self.pipeline)

    def _start_timer(self) -> None:
        if self._timer is None:
            self._timer = self.loop.call_later(self._limits.read_s, self._refuse_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _refuse_late(self) -> None:
        self._timer = None
        if self._is_behind_others():
            self._start_timer()
        else:
            self._refuse(408, f"the {self._awaited} did not arrive within {self._limits.read_s:g} seconds")

    def _refuse_head(self) -> None:
        self._refuse(431, f"the head of a request may have {self._limits.head} bytes")

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless that would fall into the middle of another response, and hang up."""
        self._stop_timer()
        if self.transport.is_closing():
            return
        is_between = self.cycle is None or self.cycle.response_complete or not self.cycle.response_started
        if is_between and not self.pipeline:
            path = self.scope["path"] if self._awaited == "request body" else ""
            response = problem_response(path, status, detail, {"connection": "close"})
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in response.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(response.body)]))
        self.transport.close()


def request_limit_protocol(limits: Limits) -> Any:
    """What uvicorn takes as `http`: the protocol with these limits."""
    return partial(RequestLimitProtocol, limits=limits)
