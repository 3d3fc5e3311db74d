"""What the protocol says of a model, and the response to an inference."""

from typing import Any

import numpy as np
import orjson
from starlette.responses import Response

from ops.engines.base import Floats
from ops.softmax import softmax
from service.http.inference_protocol import LENGTH_HEADER, OUTPUTS
from service.http.inference_protocol.request import InferRequest
from service.inference.pixels import to_images
from service.inference.predictor import Predictor


def model_metadata(predictor: Predictor, versions: list[int]) -> dict[str, Any]:
    """The metadata of a model version; -1 stands for any number of examples."""
    model, classes = predictor.model, len(predictor.model.class_names)
    return {
        "name": model.name,
        "versions": [str(version) for version in versions],
        "platform": "atelier",
        "inputs": [{"name": "pixels", "datatype": "FP32", "shape": [-1, *predictor.input_shape]}],
        "outputs": [{"name": output, "datatype": "FP32", "shape": [-1, classes]} for output in OUTPUTS],
        "parameters": {"version": str(model.version), "class_names": ",".join(model.class_names)},
    }


def model_config(predictor: Predictor, max_images: int) -> dict[str, Any]:
    """The same as Triton's clients ask for it, without the axis of examples."""
    classes, datatype = len(predictor.model.class_names), {"data_type": "TYPE_FP32"}
    return {
        "name": predictor.model.name,
        "platform": "atelier",
        "max_batch_size": max_images,
        "input": [{"name": "pixels", "dims": list(predictor.input_shape), **datatype}],
        "output": [{"name": output, "dims": [classes], **datatype} for output in OUTPUTS],
    }


def infer_response(predictor: Predictor, request: InferRequest, logits: Floats) -> Response:
    """The outputs that were asked for: numbers in the JSON, or bytes after it."""
    model = predictor.model
    outputs, binary = [], b""
    for name, as_binary in request.outputs:
        value = logits if name == "logits" else softmax(logits).astype(np.float32)
        output: dict[str, Any] = {"name": name, "datatype": "FP32", "shape": list(value.shape)}
        if as_binary:
            content = np.ascontiguousarray(value, "<f4").tobytes()
            output["parameters"] = {"binary_data_size": len(content)}
            binary += content
        else:
            output["data"] = np.ascontiguousarray(value).ravel()
        outputs.append(output)
    message: dict[str, Any] = {
        "model_name": model.name,
        "model_version": str(model.version),
        "outputs": outputs,
    }
    # Parameters of the protocol are strings, numbers or truth values: one line for all images.
    found = [text for texts in predictor.warnings(to_images(request.pixels)) for text in texts]
    if found:
        message["parameters"] = {"warnings": "; ".join(dict.fromkeys(found))}
    if request.id is not None:
        message["id"] = request.id
    head = orjson.dumps(message, option=orjson.OPT_SERIALIZE_NUMPY)
    if not binary:
        return Response(head, media_type="application/json")
    return Response(head + binary, headers={LENGTH_HEADER: str(len(head))}, media_type="application/octet-stream")
