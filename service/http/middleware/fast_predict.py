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
from service.http.bodies import json_object
from service.http.limits import Limits
from service.http.predictor_cache import PredictorCache
from service.http.problems import UNEXPECTED, problem, told
from service.http.routes.predict import answer
from service.inference.pixels import pixels

log = logging.getLogger(__name__)

PATH = re.compile(r"/api/models/([a-z0-9][a-z0-9._-]{0,62}[a-z0-9]|[a-z0-9])/predict")
QUERY = re.compile(rb"(?:version=([a-z0-9._-]{1,64}))?&?(?:top=([1-9][0-9]{0,2}))?")
JSON = ((b"content-type", b"application/json"),)
TOP = 3


@dataclass(frozen=True)
class _Route:
    """What the meters count such a request under."""

    path: str = "/api/models/{name}/predict"


class FastPredictMiddleware:
    """ASGI middleware, innermost: answers what it knows and passes on the rest."""

    def __init__(self, app: ASGIApp, shelf: PredictorCache, limits: Limits) -> None:
        self._app = app
        self._shelf = shelf
        self._limits = limits
        self._route = _Route()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        asked = _asked(scope)
        if asked is None:
            await self._app(scope, receive, send)
            return
        name, version, top = asked
        scope["route"] = self._route
        try:
            predictor = await self._shelf.predictor(name, version)
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            images = pixels(json_object(message["body"]).get("pixels"), predictor.image_shape, self._limits.images)
            response = answer(predictor, predictor.ranked(await self._shelf.logits(predictor, images), top))
        except (AtelierError, OpsError) as error:
            response = told(scope["path"], error)
        except Exception:
            log.exception("%s", scope["path"])
            response = problem(scope["path"], 500, UNEXPECTED)
        await response(scope, receive, send)


def _asked(scope: Scope) -> tuple[str, str, int] | None:
    """Model, version and number of classes, or None where this isn't for the short way."""
    if scope["type"] != "http" or scope["method"] != "POST":
        return None
    path, query = PATH.fullmatch(scope["path"]), QUERY.fullmatch(scope["query_string"])
    if path is None or query is None or not any(header in JSON for header in scope["headers"]):
        return None
    version, top = query.groups()
    return path.group(1), version.decode() if version else "champion", int(top or TOP)
