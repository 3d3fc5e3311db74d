"""The routes of the Open Inference Protocol, version 2 (KServe, Triton), with its binary tensor extension."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from service import __version__
from service.http.batching import Batcher
from service.http.inference_protocol import LENGTH_HEADER
from service.http.inference_protocol.request import parse_infer_request
from service.http.inference_protocol.response import infer_response, model_config, model_metadata
from service.http.limits import Limits
from service.http.predictor_cache import PredictorCache
from service.http.routes.health import Readiness
from service.http.schemas import protocol as schemas

EXTENSIONS = ["binary_tensor_data", "model_repository"]
EXAMPLE = {
    "id": "1",
    "inputs": [{"name": "pixels", "shape": [1, 1, 28, 28], "datatype": "UINT8", "data": [0] * 784}],
    "outputs": [{"name": "probabilities"}],
}
BODY = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": {"type": "object"}, "example": EXAMPLE}},
    }
}


def inference_protocol_routes(
    predictors: PredictorCache, batcher: Batcher, readiness: Readiness, limits: Limits
) -> APIRouter:
    """All routes below `/v2`."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])
    _add_server_routes(router, predictors, readiness)

    @router.get("/models/{name}", summary="Model metadata", **schemas.METADATA)
    @router.get("/models/{name}/versions/{version}", summary="Metadata of a version", **schemas.METADATA)
    async def metadata(name: str, version: str = "champion") -> dict[str, Any]:
        predictor = await predictors.predictor(name, version)
        return model_metadata(predictor, await asyncio.to_thread(predictors.registry.versions, predictor.model.name))

    @router.get("/models/{name}/ready", summary="Is the model ready?", **schemas.MODEL_READY)
    @router.get("/models/{name}/versions/{version}/ready", summary="Is the version ready?", **schemas.MODEL_READY)
    async def model_ready(name: str, version: str = "champion") -> dict[str, Any]:
        return {"name": (await predictors.predictor(name, version)).model.name, "ready": True}

    @router.get("/models/{name}/config", summary="Model configuration, as Triton has it", **schemas.CONFIG)
    @router.get("/models/{name}/versions/{version}/config", summary="Configuration of a version", **schemas.CONFIG)
    async def config(name: str, version: str = "champion") -> dict[str, Any]:
        return model_config(await predictors.predictor(name, version), limits.images)

    @router.post("/models/{name}/infer", summary="Infer", **schemas.INFERRED, openapi_extra=BODY)
    @router.post(
        "/models/{name}/versions/{version}/infer",
        summary="Infer with a version",
        **schemas.INFERRED,
        openapi_extra=BODY,
    )
    async def infer(request: Request, name: str, version: str = "champion") -> Response:
        predictor = await predictors.predictor(name, version)
        length = request.headers.get(LENGTH_HEADER)
        parsed = parse_infer_request(await request.body(), length, predictor.input_shape, limits.images)
        is_bytes = parsed.pixels.dtype.kind == "u"
        compute = batcher.logits if is_bytes else batcher.logits_of_floats
        return infer_response(predictor, parsed, await compute(predictor, parsed.pixels))

    return router


def _add_server_routes(router: APIRouter, predictors: PredictorCache, readiness: Readiness) -> None:
    @router.get("", summary="Server metadata", **schemas.SERVER)
    async def server() -> dict[str, Any]:
        return {"name": "atelier", "version": __version__, "extensions": EXTENSIONS}

    @router.get("/health/live", summary="Is the server alive?", **schemas.LIVE)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Can the models be read?", **schemas.READY)
    async def ready() -> dict[str, bool]:
        await readiness.check()
        return {"ready": True}

    @router.post("/repository/index", summary="Every model and version", **schemas.INDEX)
    def index() -> list[dict[str, str]]:
        return [
            {"name": model.name, "version": str(model.version), "state": "READY", "reason": ""}
            for model in predictors.registry.everything()
        ]
