"""The shortest way to a prediction: plain JSON pixels go to the engine without a framework's routing in between.

That way takes longer than the prediction itself. The route of the same address stays, for the OpenAPI document and for
everything else: other bodies, other parameters, and requests that are wrong in any way but their pixels.
"""

import logging
import re
from dataclasses import dataclass

from starlette.types import ASGIApp, Receive, Scope, Send

from ops.errors import OpsError
from service.errors import AtelierError
from service.http.batching import Batcher
from service.http.errors import UNEXPECTED, error_response, problem_response
from service.http.json_body import json_object
from service.http.limits import Limits
from service.http.predictor_cache import PredictorCache
from service.http.routes.predict import prediction_response
from service.inference.pixels import parse_pixels
from service.registry import ModelRef

log = logging.getLogger(__name__)

PATH = re.compile(r"/api/models/([a-z0-9][a-z0-9._-]{0,62}[a-z0-9]|[a-z0-9])/predict")
QUERY = re.compile(rb"(?:version=([a-z0-9._-]{1,64}))?&?(?:top=([1-9][0-9]{0,2}))?")
JSON = ((b"content-type", b"application/json"),)
TOP = 3


@dataclass(frozen=True)
class _Route:
    """What the metrics count such a request under."""

    path: str = "/api/models/{name}/predict"


class FastPredictMiddleware:
    """ASGI middleware, innermost: answers what it knows and passes on the rest."""

    def __init__(self, app: ASGIApp, predictors: PredictorCache, batcher: Batcher, limits: Limits) -> None:
        self._app = app
        self._predictors = predictors
        self._batcher = batcher
        self._limits = limits
        self._route = _Route()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        query = _parse(scope)
        if query is None:
            await self._app(scope, receive, send)
            return
        ref, top = query
        scope["route"] = self._route
        try:
            predictor = await self._predictors.predictor(ref.name, ref.version)
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            images = parse_pixels(json_object(message["body"]), predictor.pixel_shape, self._limits.images)
            logits = await self._batcher.logits(predictor, images)
            response = prediction_response(predictor, images, logits, top)
        except (AtelierError, OpsError) as error:
            response = error_response(scope["path"], error)
        except Exception:
            log.exception("%s", scope["path"])
            response = problem_response(scope["path"], 500, UNEXPECTED)
        await response(scope, receive, send)


def _parse(scope: Scope) -> tuple[ModelRef, int] | None:
    """The model and the number of classes, or None where this isn't for the short way."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path, query = PATH.fullmatch(scope["path"]), QUERY.fullmatch(scope["query_string"])
    if path is None or query is None or not any(header in JSON for header in scope["headers"]):
        return None
    version, top = query.groups()
    return ModelRef(path.group(1), version.decode() if version else "champion"), int(top or TOP)
