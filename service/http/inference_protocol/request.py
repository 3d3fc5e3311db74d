"""A request for an inference, checked before anything is made of it."""

from dataclasses import dataclass
from itertools import chain
from reprlib import repr as brief
from typing import Any

import numpy as np
from numpy.typing import NDArray

from service.errors import InvalidInput, NotFound
from service.http.inference_protocol import OUTPUTS
from service.http.json_body import json_object
from service.inference.pixels import check_tensor

DTYPES: dict[str, type[np.generic]] = {"FP32": np.float32, "UINT8": np.uint8}
MAX_OUTPUTS = 8


@dataclass(frozen=True)
class InferRequest:
    """What is to be inferred.

    Attributes:
        pixels: (n, c, h, w), uint8, or float32 in [0, 1].
        outputs: The names of the outputs, each with whether it is to come as bytes after the JSON.
        id: The request's own name, if it has one.
    """

    pixels: NDArray[Any]
    outputs: tuple[tuple[str, bool], ...]
    id: str | None


def parse_infer_request(
    body: bytes, json_length: str | None, input_shape: tuple[int, ...], max_images: int
) -> InferRequest:
    """The request in a body of which `json_length` bytes are JSON; all are where that is None.

    Raises InvalidInput for what the model or the protocol can't take, NotFound for an output that there isn't.
    """
    message, binary = _split(body, json_length)
    name = message.get("id")
    pixels = _input(message, binary, input_shape, max_images)
    check_tensor(pixels)
    return InferRequest(pixels, _outputs(message), name if isinstance(name, str) else None)


def _split(body: bytes, length: str | None) -> tuple[dict[str, Any], bytes]:
    """The JSON object at the front, and the binary tensors after it."""
    if length is None:
        return json_object(body), b""
    if not (length.isascii() and length.isdigit() and len(length) < 12 and int(length) <= len(body)):
        raise InvalidInput(
            f"Inference-Header-Content-Length must be a number of bytes in the body, got {length[:20]!r}"
        )
    return json_object(body[: int(length)]), body[int(length) :]


def _input(message: dict[str, Any], binary: bytes, expected: tuple[int, ...], max_images: int) -> NDArray[Any]:
    inputs = message.get("inputs")
    if not (isinstance(inputs, list) and len(inputs) == 1 and isinstance(inputs[0], dict)):
        raise InvalidInput("inputs must be a list of one tensor, named 'pixels'")
    tensor = inputs[0]
    if tensor.get("name") != "pixels":
        raise InvalidInput(f"the input is named 'pixels', got {brief(tensor.get('name'))}")
    datatype, shape = tensor.get("datatype"), tensor.get("shape")
    if not (isinstance(datatype, str) and datatype in DTYPES):
        raise InvalidInput(f"datatype must be one of {', '.join(DTYPES)}, got {brief(datatype)}")
    if not (isinstance(shape, list) and all(type(size) is int for size in shape) and tuple(shape[1:]) == expected):
        raise InvalidInput(f"shape must be [n, {', '.join(map(str, expected))}], got {brief(shape)}")
    if not 1 <= shape[0] <= max_images:
        raise InvalidInput(f"a request may have 1 to {max_images} images, got {shape[0]}")
    parameters = tensor.get("parameters") or {}
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    count = int(np.prod(shape))
    flat = _from_json(tensor.get("data"), datatype, count) if size is None else _from_bytes(binary, size, datatype)
    if flat.size != count:
        raise InvalidInput(f"shape {shape} needs {count} numbers, got {flat.size}")
    return flat.reshape(shape)


def _from_bytes(binary: bytes, size: Any, datatype: str) -> NDArray[Any]:
    dtype = np.dtype(DTYPES[datatype]).newbyteorder("<")
    if type(size) is not int or size != len(binary) or size % dtype.itemsize:
        raise InvalidInput(f"binary_data_size must be the {len(binary)} bytes after the JSON, got {brief(size)}")
    return np.frombuffer(binary, dtype)


def _from_json(data: Any, datatype: str, count: int) -> NDArray[Any]:
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
        return array.astype(DTYPES[datatype]).ravel()


def _outputs(message: dict[str, Any]) -> tuple[tuple[str, bool], ...]:
    parameters = message.get("parameters")
    as_binary = bool(parameters.get("binary_data_output")) if isinstance(parameters, dict) else False
    outputs = message.get("outputs")
    if outputs is None or outputs == []:
        return tuple((name, as_binary) for name in OUTPUTS)
    is_list = isinstance(outputs, list) and all(isinstance(output, dict) for output in outputs)
    if not is_list or len(outputs) > MAX_OUTPUTS:
        raise InvalidInput("outputs must be a list of objects with a name")
    return tuple(_output(output, as_binary) for output in outputs)


def _output(output: dict[str, Any], as_binary: bool) -> tuple[str, bool]:
    name, parameters = output.get("name"), output.get("parameters")
    if name not in OUTPUTS:
        raise NotFound(f"there is no output {brief(name)} (outputs: {', '.join(OUTPUTS)})")
    parameters = parameters if isinstance(parameters, dict) else {}
    if parameters.get("classification"):
        raise InvalidInput("the classification extension is not offered: ask for 'probabilities'")
    return str(name), bool(parameters.get("binary_data", as_binary))
