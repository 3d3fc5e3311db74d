"""The Open Inference Protocol, version 2 (KServe, Triton), with its binary tensor extension.

Every model has one input, `pixels` (n, c, h, w): FP32 in [0, 1], or UINT8 as stored; and two outputs, FP32
(n, classes): `logits` and `probabilities`.
"""

import asyncio
from itertools import chain
from reprlib import repr as brief
from typing import Any

import numpy as np
import orjson
from fastapi import APIRouter, Request
from numpy.typing import NDArray
from starlette.responses import Response

from ops.engines.base import Floats
from ops.softmax import softmax
from service import __version__
from service.errors import InvalidInput, NotFound
from service.http.bodies import json_object
from service.http.limits import Limits
from service.http.predictor_cache import PredictorCache
from service.http.schemas import protocol as answers
from service.inference.predictor import Predictor

LENGTH = "inference-header-content-length"
DTYPES: dict[str, type[np.generic]] = {"FP32": np.float32, "UINT8": np.uint8}
OUTPUTS = ("logits", "probabilities")


def inference_routes(shelf: PredictorCache, limits: Limits) -> APIRouter:
    """All routes below `/v2`."""
    router = APIRouter(prefix="/v2", tags=["Open Inference Protocol"])

    @router.get("", summary="Server metadata", **answers.SERVER)
    async def server() -> dict[str, Any]:
        return {"name": "atelier", "version": __version__, "extensions": ["binary_tensor_data", "model_repository"]}

    @router.get("/health/live", summary="Is the server alive?", **answers.LIVE)
    async def live() -> dict[str, bool]:
        return {"live": True}

    @router.get("/health/ready", summary="Can the server answer?", **answers.READY)
    async def ready() -> dict[str, bool]:
        return {"ready": True}

    @router.post("/repository/index", summary="Every model and version", **answers.INDEX)
    def index() -> list[dict[str, str]]:
        return [
            {"name": model.name, "version": str(model.version), "state": "READY", "reason": ""}
            for model in shelf.registry.everything()
        ]

    @router.get("/models/{name}", summary="Model metadata", **answers.METADATA)
    @router.get("/models/{name}/versions/{version}", summary="Metadata of a version", **answers.METADATA)
    async def metadata(name: str, version: str = "champion") -> dict[str, Any]:
        predictor = await shelf.predictor(name, version)
        return _metadata(predictor, await asyncio.to_thread(shelf.registry.versions, predictor.model.name))

    @router.get("/models/{name}/ready", summary="Is the model ready?", **answers.MODEL_READY)
    @router.get("/models/{name}/versions/{version}/ready", summary="Is the version ready?", **answers.MODEL_READY)
    async def model_ready(name: str, version: str = "champion") -> dict[str, Any]:
        return {"name": (await shelf.predictor(name, version)).model.name, "ready": True}

    @router.get("/models/{name}/config", summary="Model configuration, as Triton tells it", **answers.CONFIG)
    @router.get("/models/{name}/versions/{version}/config", summary="Configuration of a version", **answers.CONFIG)
    async def config(name: str, version: str = "champion") -> dict[str, Any]:
        predictor = await shelf.predictor(name, version)
        classes = len(predictor.model.class_names)
        tensors = {"data_type": "TYPE_FP32"}
        return {
            "name": predictor.model.name,
            "platform": "atelier",
            "max_batch_size": limits.images,
            "input": [{"name": "pixels", "dims": list(predictor.input_shape), **tensors}],
            "output": [{"name": output, "dims": [classes], **tensors} for output in OUTPUTS],
        }

    body = {"required": True, "content": {"application/json": {"schema": {"type": "object"}, "example": _EXAMPLE}}}

    @router.post("/models/{name}/infer", summary="Infer", **answers.INFERRED, openapi_extra={"requestBody": body})
    @router.post(
        "/models/{name}/versions/{version}/infer",
        summary="Infer with a version",
        **answers.INFERRED,
        openapi_extra={"requestBody": body},
    )
    async def infer(request: Request, name: str, version: str = "champion") -> Response:
        predictor = await shelf.predictor(name, version)
        asked, tail = _split(await request.body(), request.headers.get(LENGTH))
        x = _input(asked, tail, predictor.input_shape, limits.images)
        if x.dtype == np.uint8:
            logits = await shelf.logits(predictor, x)
        else:
            logits = await shelf.logits_of_floats(predictor, x)
        return _answer(predictor, asked, logits)

    return router


_EXAMPLE = {
    "id": "1",
    "inputs": [{"name": "pixels", "shape": [1, 1, 28, 28], "datatype": "UINT8", "data": [0] * 784}],
    "outputs": [{"name": "probabilities"}],
}


def _metadata(predictor: Predictor, versions: list[int]) -> dict[str, Any]:
    classes = len(predictor.model.class_names)
    return {
        "name": predictor.model.name,
        "versions": [str(version) for version in versions],
        "platform": "atelier",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, *predictor.input_shape]}],
        "outputs": [{"name": output, "datatype": "FP32", "shape": [-1, classes]} for output in OUTPUTS],
        "parameters": {"version": str(predictor.model.version), "class_names": ",".join(predictor.model.class_names)},
    }


def _split(body: bytes, length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON object at the front, and the binary tensors after it."""
    if length is None:
        return json_object(body), b""
    if not (length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= len(body)):
        raise InvalidInput(
            f"Inference-Header-Content-Length must be a number of bytes in the body, got {length[:20]!r}"
        )
    return json_object(body[: int(length)]), body[int(length) :]


def _input(asked: dict[str, Any], tail: bytes, wanted: tuple[int, ...], limit: int) -> NDArray[Any]:
    inputs = asked.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise InvalidInput("inputs must be a list of one tensor, named 'pixels'")
    tensor = inputs[0]
    if tensor.get("name") != "pixels":
        raise InvalidInput(f"the input is named 'pixels', got {brief(tensor.get('name'))}")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not (isinstance(datatype, str) and datatype in DTYPES):
        raise InvalidInput(f"datatype must be one of {', '.join(DTYPES)}, got {brief(datatype)}")
    if not (isinstance(shape, list) and len(shape) == 1 + len(wanted) and all(type(size) is int for size in shape)):
        raise InvalidInput(f"shape must be [n, {', '.join(map(str, wanted))}], got {brief(shape)}")
    if tuple(shape[1:]) != wanted:
        raise InvalidInput(f"shape must be [n, {', '.join(map(str, wanted))}], got {brief(shape)}")
    if not 1 <= shape[0] <= limit:
        raise InvalidInput(f"a request may have 1 to {limit} images, got {shape[0]}")
    parameters = tensor.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    count = int(np.prod(shape))
    flat = _numbers(tensor.get("data"), datatype, count) if size is None else _binary(tail, size, datatype)
    if flat.size != count:
        raise InvalidInput(f"shape {shape} needs {count} numbers, got {flat.size}")
    return flat.reshape(shape)


def _binary(tail: bytes, size: Any, datatype: str) -> NDArray[Any]:
    dtype = np.dtype(DTYPES[datatype]).newbyteorder("<")
    if type(size) is not int or size != len(tail) or size % dtype.itemsize:
        raise InvalidInput(f"binary_data_size must be the {len(tail)} bytes after the JSON, got {brief(size)}")
    return _finite(np.frombuffer(tail, dtype))


def _numbers(data: Any, datatype: str, count: int) -> NDArray[Any]:
    """So many numbers, flat or nested; looked at before anything is made of them."""
    if not isinstance(data, list):
        raise InvalidInput("data must be a list of numbers, or binary_data_size be given")
    try:
        while data and isinstance(data[0], list):
            data = list(chain.from_iterable(data))
        if len(data) != count:
            raise InvalidInput(f"the shape needs {count} numbers, got {len(data)}")
        if not set(map(type, data)) <= {int, float}:
            raise TypeError
        array = np.array(data)
    except (TypeError, OverflowError):
        raise InvalidInput("data must be a list of numbers, flat or nested evenly") from None
    if datatype == "UINT8" and not (array.dtype.kind in "iu" and ((array >= 0) & (array <= 255)).all()):
        raise InvalidInput("data of datatype UINT8 must be whole numbers in [0, 255]")
    with np.errstate(over="ignore"):
        return _finite(array.astype(DTYPES[datatype]).ravel())


def _finite(array: NDArray[Any]) -> NDArray[Any]:
    if array.dtype.kind == "f" and not (np.abs(array) <= 1e6).all():
        raise InvalidInput("data must be finite numbers; pixels are in [0, 1]")
    return array


def _answer(predictor: Predictor, asked: dict[str, Any], logits: Floats) -> Response:
    given = asked.get("parameters")
    binary = bool(given.get("binary_data_output")) if isinstance(given, dict) else False
    outputs, tail = [], b""
    for name, as_binary in _asked_outputs(asked, binary):
        value = logits if name == "logits" else softmax(logits).astype(np.float32)
        output: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(value.shape)}
        if as_binary:
            content = np.ascontiguousarray(value, "<f4").tobytes()
            output["parameters"] = {"binary_data_size": len(content)}
            tail += content
        else:
            output["data"] = np.ascontiguousarray(value).ravel()
        outputs.append(output)
    answer = {"model_name": predictor.model.name, "model_version": str(predictor.model.version), "outputs": outputs}
    if isinstance(asked.get("id"), str):
        answer["id"] = asked["id"]
    head = orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)
    if not tail:
        return Response(head, media_type="application/json")
    return Response(head + tail, headers={LENGTH: str(len(head))}, media_type="application/octet-stream")


def _asked_outputs(asked: dict[str, Any], binary: bool) -> list[tuple[str, bool]]:
    outputs = asked.get("outputs")
    if outputs is None or outputs == []:
        return [(name, binary) for name in OUTPUTS]
    if not (isinstance(outputs, list) and len(outputs) <= 8 and all(isinstance(output, dict) for output in outputs)):
        raise InvalidInput("outputs must be a list of objects with a name")
    wanted = []
    for output in outputs:
        name, parameters = output.get("name"), output.get("parameters")
        if name not in OUTPUTS:
            raise NotFound(f"there is no output {brief(name)} (outputs: {', '.join(OUTPUTS)})")
        parameters = parameters if isinstance(parameters, dict) else {}
        if parameters.get("classification"):
            raise InvalidInput("the classification extension is not offered: ask for 'probabilities'")
        wanted.append((str(name), bool(parameters.get("binary_data", binary))))
    return wanted
