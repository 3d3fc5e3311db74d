"""`POST /api/models/{name}/predict`: pictures or pixels in, classes and probabilities out."""

from typing import Annotated, Any

import numpy as np
import orjson
from fastapi import APIRouter, Query, Request
from numpy.typing import NDArray
from starlette.datastructures import UploadFile
from starlette.responses import Response

from ops.engines.base import Floats
from service.data.decoding import MEDIA_TYPES
from service.errors import InvalidInput
from service.http.batching import Batcher
from service.http.errors import HttpError
from service.http.json_body import json_object
from service.http.limits import Limits
from service.http.predictor_cache import PredictorCache
from service.http.routes.models import ModelName
from service.http.schemas.predictions import PREDICTIONS
from service.inference.pixels import parse_pixels
from service.inference.predictor import Predictor

MAX_FILES = 64
_JSON = {
    "schema": {
        "type": "object",
        "required": ["pixels"],
        "properties": {
            "pixels": {
                "type": "array",
                "description": "Rows of numbers (0 black), in colour of [red, green, blue]; or a list of such images.",
            },
            "scale": {"type": "number", "default": 255, "description": "The number that stands for white."},
        },
    },
    "example": {"pixels": [[0] * 28 for _ in range(28)]},
}
_BINARY = {"schema": {"type": "string", "format": "binary"}}
_FILES = {"schema": {"type": "object", "properties": {"file": {"type": "array", "items": _BINARY["schema"]}}}}
BODY = {
    "required": True,
    "content": {"application/json": _JSON, **dict.fromkeys(MEDIA_TYPES, _BINARY), "multipart/form-data": _FILES},
}


def predict_routes(predictors: PredictorCache, batcher: Batcher, limits: Limits) -> APIRouter:
    """The one route."""
    router = APIRouter(prefix="/api", tags=["predict"])

    @router.post(
        "/models/{name}/predict", summary="Classify images", **PREDICTIONS, openapi_extra={"requestBody": BODY}
    )
    async def predict(
        request: Request,
        name: ModelName,
        version: Annotated[str, Query(max_length=64, description="A number or an alias.")] = "champion",
        top: Annotated[int, Query(ge=1, le=1000, description="How many classes to return.")] = 3,
    ) -> Response:
        predictor = await predictors.predictor(name, version)
        images = await _images(request, predictor, batcher, limits)
        return prediction_response(predictor, images, await batcher.logits(predictor, images), top)

    return router


def prediction_response(predictor: Predictor, images: NDArray[np.uint8], logits: Floats, top: int) -> Response:
    """The `top` classes of each image, as JSON, with what makes it unlike the training images."""
    model = predictor.model
    body = {
        "model": model.name,
        "version": model.version,
        "predictions": predictor.ranked(logits, top),  # orjson writes dataclasses as objects
        "warnings": predictor.warnings(images),
    }
    return Response(orjson.dumps(body), media_type="application/json")


async def _images(request: Request, predictor: Predictor, batcher: Batcher, limits: Limits) -> NDArray[np.uint8]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == "application/json":
        return parse_pixels(json_object(await request.body()), predictor.pixel_shape, limits.images)
    if kind in MEDIA_TYPES:
        files = [await request.body()]
    elif kind == "multipart/form-data":
        files = await _files(request)
    else:
        known = ", ".join(("application/json", *MEDIA_TYPES))
        raise HttpError(415, f"send {known} or multipart/form-data, not {kind[:60]!r}")
    images: NDArray[np.uint8] = await batcher.in_thread(predictor.read_pictures, files)
    return images


async def _files(request: Request) -> list[Any]:
    async with request.form(max_files=MAX_FILES, max_fields=8) as form:
        files = [part for _, part in form.multi_items() if isinstance(part, UploadFile)]
        if not files:
            raise InvalidInput("the form has no file: send one or more, each named 'file'")
        return [await file.read() for file in files]
