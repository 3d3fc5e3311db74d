"""The application: routes, and the middleware around them."""

from collections.abc import Sequence
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from starlette.middleware.cors import CORSMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from service import __version__
from service.home import Home
from service.http.batching import Batcher
from service.http.errors import add_error_handlers
from service.http.limits import Limits
from service.http.middleware.body_limits import BodyLimitMiddleware
from service.http.middleware.fast_predict import FastPredictMiddleware
from service.http.middleware.forwarded_prefix import ForwardedPrefixMiddleware, RootPathMiddleware
from service.http.middleware.head_as_get import HeadAsGetMiddleware
from service.http.middleware.metrics import MetricsMiddleware
from service.http.middleware.security_headers import SecurityHeadersMiddleware
from service.http.predictor_cache import PredictorCache
from service.http.routes.gallery import gallery_routes
from service.http.routes.health import Readiness, health_routes
from service.http.routes.inference_protocol import inference_protocol_routes
from service.http.routes.models import model_routes
from service.http.routes.predict import predict_routes
from service.http.routes.runs import run_routes
from service.http.schemas.errors import PROBLEM, PROTOCOL_ERROR
from service.registry import Registry

METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE")


def create_app(
    home: Home,
    *,
    token: str = "",
    limits: Limits | None = None,
    root_path: str = "",
    cors_origins: Sequence[str] = (),
) -> ASGIApp:
    """The whole service for one home.

    Args:
        home: Where models, runs and data lie.
        token: What writing routes take; empty switches them off.
        limits: What a request may cost.
        root_path: The sub-path under which a proxy publishes the service, such as `/atelier`.
        cors_origins: The origins whose pages may use the API, such as `https://lab.example`; `*` means all.
    """
    limits = limits or Limits()
    collected = CollectorRegistry()
    registry = Registry(home.models)
    predictors, batcher, readiness = (
        PredictorCache(registry, limits.models),
        Batcher(limits.predict_s),
        Readiness(registry),
    )
    app = FastAPI(
        title="Atelier",
        version=__version__,
        summary="Predictions of trained models.",
        docs_url=None,  # its page loads scripts from elsewhere
        redoc_url=None,
        openapi_url="/api/openapi.json",
    )
    add_error_handlers(app)
    app.include_router(predict_routes(predictors, batcher, limits), responses=PROBLEM)
    app.include_router(inference_protocol_routes(predictors, batcher, readiness, limits), responses=PROTOCOL_ERROR)
    app.include_router(model_routes(registry, token), responses=PROBLEM)
    app.include_router(run_routes(home, limits), responses=PROBLEM)
    app.include_router(health_routes(readiness, collected))
    app.include_router(gallery_routes(home, predictors, batcher))
    app.mount("/static", StaticFiles(directory=Path(__file__).parent / "pages" / "static"), name="static")

    wrapped: ASGIApp = FastPredictMiddleware(RootPathMiddleware(app), predictors, batcher, limits)
    wrapped = BodyLimitMiddleware(wrapped, limits)
    if cors_origins:
        wrapped = CORSMiddleware(wrapped, allow_origins=cors_origins, allow_methods=METHODS, allow_headers=["*"])
    wrapped = MetricsMiddleware(SecurityHeadersMiddleware(wrapped), collected)
    return ForwardedPrefixMiddleware(HeadAsGetMiddleware(wrapped), root_path)
