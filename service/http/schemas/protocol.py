"""The responses of the Open Inference Protocol, in its words."""

from typing import Literal

from pydantic import Field, RootModel

from service import __version__
from service.http.schemas.base import ResponseModel, RouteArguments, success


class Server(ResponseModel):
    """What the server is and which extensions it has."""

    name: str
    version: str
    extensions: list[str]


class Live(ResponseModel):
    """That the server is alive."""

    live: bool


class Ready(ResponseModel):
    """That the server can answer."""

    ready: bool


class ModelReady(ResponseModel):
    """That a model can answer."""

    name: str
    ready: bool


class IndexEntry(ResponseModel):
    """A version in the index of all."""

    name: str
    version: str
    state: Literal["READY"]
    reason: str


class Index(RootModel[list[IndexEntry]]):
    """Every version of every model."""


class TensorMetadata(ResponseModel):
    """The name, datatype and shape of a tensor; -1 stands for any number of examples."""

    name: str
    datatype: Literal["FP32"]
    shape: list[int]


class Parameters(ResponseModel):
    """Which version answers, and the names of its classes, separated by commas."""

    version: str
    class_names: str


class ModelMetadata(ResponseModel):
    """A model, its versions, and what goes in and comes out."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]
    parameters: Parameters


class TensorConfig(ResponseModel):
    """A tensor in Triton's configuration, without the axis of examples."""

    name: str
    dims: list[int]
    data_type: Literal["TYPE_FP32"]


class ModelConfig(ResponseModel):
    """A model's configuration in Triton's form."""

    name: str
    platform: str
    max_batch_size: int
    input: list[TensorConfig]
    output: list[TensorConfig]


class BinarySize(ResponseModel):
    """How many of the bytes after the JSON belong to the tensor."""

    binary_data_size: int = Field(ge=0)


class Tensor(ResponseModel):
    """A tensor that came out: its numbers as `data`, or as bytes after the JSON where `parameters` say so."""

    name: str
    datatype: Literal["FP32"]
    shape: list[int]
    data: list[float] | None = None
    parameters: BinarySize | None = None


class InferParameters(ResponseModel):
    """Beside the outputs. warnings: what makes images unlike those that the model was trained on, in one line."""

    warnings: str


class InferResponse(ResponseModel):
    """The outputs of a model. id: the request's own. parameters: missing where there is nothing to warn of."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | None = None
    parameters: InferParameters | None = None


def _tensor(name: str, *shape: int) -> TensorMetadata:
    return TensorMetadata(name=name, datatype="FP32", shape=[-1, *shape])


def _tensor_config(name: str, *dims: int) -> TensorConfig:
    return TensorConfig(name=name, dims=list(dims), data_type="TYPE_FP32")


def _infer_response() -> RouteArguments:
    described = success(
        InferResponse(
            model_name="lenet",
            model_version="1",
            outputs=[Tensor(name="probabilities", datatype="FP32", shape=[1, 3], data=[0.75, 0.25, 0.0])],
        )
    )
    # With the binary extension: the JSON, then the tensors.
    described["responses"][200]["content"]["application/octet-stream"] = {
        "schema": {"type": "string", "format": "binary"}
    }
    return described


SERVER = success(Server(name="atelier", version=__version__, extensions=["binary_tensor_data", "model_repository"]))
LIVE = success(Live(live=True))
READY = success(Ready(ready=True))
MODEL_READY = success(ModelReady(name="lenet", ready=True))
INDEX = success(Index([IndexEntry(name="lenet", version="1", state="READY", reason="")]))
METADATA = success(
    ModelMetadata(
        name="lenet",
        versions=["1"],
        platform="atelier",
        inputs=[_tensor("pixels", 1, 28, 28)],
        outputs=[_tensor("logits", 10), _tensor("probabilities", 10)],
        parameters=Parameters(version="1", class_names="T-shirt/top,Trouser,Pullover"),
    )
)
CONFIG = success(
    ModelConfig(
        name="lenet",
        platform="atelier",
        max_batch_size=1024,
        input=[_tensor_config("pixels", 1, 28, 28)],
        output=[_tensor_config("logits", 10), _tensor_config("probabilities", 10)],
    )
)
INFERRED = _infer_response()
