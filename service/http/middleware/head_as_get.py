"""`HEAD` for every route that answers `GET`."""

from starlette.types import ASGIApp, Receive, Scope, Send


class HeadAsGetMiddleware:
    """ASGI middleware: HEAD is answered as GET is, and the server leaves the body out.

    Event streams are left alone: they have no end.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].endswith("/events"):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)
