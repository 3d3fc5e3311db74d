"""The head of a request, held to a size and a time. An ASGI application sees a request only after its head."""

from asyncio import BaseTransport, TimerHandle
from http import HTTPStatus

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from service.http.limits import Limits
from service.http.problems import problem


class HeaderLimitProtocol(HttpToolsProtocol):
    """uvicorn's protocol, which by itself waits for a head for ever and keeps whatever belongs to it."""

    limits = Limits()

    def connection_made(self, transport: BaseTransport) -> None:
        super().connection_made(transport)  # type: ignore[arg-type]
        self._reading_head = True
        self._loose = 0  # bytes since a request or a piece of its body ended: of a head, or of what trails a body
        self._clock: TimerHandle | None = None
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_clock()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._loose += len(data)
        super().data_received(data)
        if self._loose > self.limits.head:
            self._refuse(431, f"the head of a request may have {self.limits.head} bytes")
        elif self._reading_head or (self._loose and self.cycle is not None and self.cycle.response_complete):
            # A blank line after an answer begins no request for the parser, and stops uvicorn's own clock.
            self._start_clock()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._reading_head = True

    def on_headers_complete(self) -> None:
        self._reading_head = False
        self._stop_clock()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._loose = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._loose = 0
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """See uvicorn: what can't be parsed is refused in the form that other errors have."""
        self._refuse(400, msg)

    def _start_clock(self) -> None:
        if self._clock is None:
            self._clock = self.loop.call_later(self.limits.read_s, self._refuse, 408, "the request did not arrive")

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _refuse(self, status: int, detail: str) -> None:
        """Answer, unless that would fall into the middle of another answer, and hang up."""
        self._stop_clock()
        if self.transport.is_closing():
            return
        between = self.cycle is None or self.cycle.response_complete or not self.cycle.response_started
        if between and not self.pipeline:
            answer = problem("", status, detail, {"connection": "close"})
            lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
            lines += [name + b": " + value for name, value in answer.raw_headers]
            self.transport.write(b"\r\n".join([*lines, b"", bytes(answer.body)]))
        self.transport.close()
