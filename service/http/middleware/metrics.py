"""Counters and times for Prometheus, one set for each application."""

from time import perf_counter

from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class MetricsMiddleware:
    """ASGI middleware that counts requests by route and status and times them."""

    def __init__(self, app: ASGIApp, collected: CollectorRegistry) -> None:
        self._app = app
        self._known: dict[tuple[str, str], tuple[Counter, Histogram]] = {}
        self._requests = Counter("atelier_requests", "Requests.", ("route", "status"), registry=collected)
        self._seconds = Histogram("atelier_request_seconds", "Time to answer.", ("route",), registry=collected)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = perf_counter(), "499"

        async def send_and_note_status(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        try:
            await self._app(scope, receive, send_and_note_status)
        finally:
            # The template, never the path: paths are the client's to invent, and each would be a series of its own.
            route = getattr(scope.get("route"), "path", "other")
            if (route, status) not in self._known:
                self._known[route, status] = self._requests.labels(route, status), self._seconds.labels(route)
            count, seconds = self._known[route, status]
            count.inc()
            seconds.observe(perf_counter() - began)
