"""The application put together: HEAD as GET, meters, headers, limits, the short way to a prediction, routes."""

from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service import __version__
from service.home import Home
from service.http import problems
from service.http.limits import LimitBody, Limits
from service.http.middleware.fast_predict import FastPredictMiddleware
from service.http.middleware.metrics import Meters, exposition
from service.http.predictor_cache import PredictorCache
from service.http.routes.inference_protocol import inference_routes
from service.http.routes.models import model_routes
from service.http.routes.pages import gallery_routes
from service.http.routes.predict import predict_routes
from service.http.routes.runs import run_routes
from service.http.schemas.errors import PROBLEM, PROTOCOL_ERROR
from service.http.schemas.server import HEALTH, METRICS
from service.registry import Registry

HEADERS = (
    (
        b"content-security-policy",
        b"default-src 'self'; img-src 'self' data: blob:; frame-ancestors 'none'; base-uri 'none'",
    ),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def create_app(home: Home, *, token: str = "", limits: Limits | None = None) -> ASGIApp:
    """The whole service for one home. token: what writing routes take; empty switches them off."""
    limits = limits or Limits()
    collected = CollectorRegistry()
    registry = Registry(home.models)
    shelf = PredictorCache(registry, limits)
    app = FastAPI(
        title="Atelier",
        version=__version__,
        summary="Trained models you can ask.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    problems.install(app)
    app.include_router(predict_routes(shelf, limits), responses=PROBLEM)
    app.include_router(inference_routes(shelf, limits), responses=PROTOCOL_ERROR)
    app.include_router(model_routes(registry, token), responses=PROBLEM)
    app.include_router(run_routes(home, limits), responses=PROBLEM)
    app.include_router(gallery_routes(home, shelf))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")

    @app.get("/health", tags=["server"], summary="Is the server well?", **HEALTH)
    def health() -> dict[str, str]:
        return {"status": "ok", "version": __version__}

    @app.get("/metrics", tags=["server"], summary="Figures for Prometheus", response_class=Response, **METRICS)
    def metrics() -> Response:
        return Response(exposition(collected), media_type="text/plain; version=0.0.4; charset=utf-8")

    limited = LimitBody(FastPredictMiddleware(app, shelf, limits), limits)
    return _HeadAsGet(Meters(_Headers(limited), collected))


class _HeadAsGet:
    """ASGI middleware: HEAD is answered as GET is, and the server leaves the body out. A live page's has no end."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].endswith("/events"):
            scope = {**scope, "method": "GET"}
        await self._app(scope, receive, send)


class _Headers:
    """ASGI middleware that adds the headers which keep pages to themselves."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *HEADERS]
            await send(message)

        await self._app(scope, receive, with_headers)
