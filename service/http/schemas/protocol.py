"""The answers of the Open Inference Protocol, in its words."""

from typing import Literal

from pydantic import Field, RootModel

from service import __version__
from service.http.schemas.form import Answer, Told, success


class Server(Answer):
    """What the server is and which extensions it has."""

    name: str
    version: str
    extensions: list[str]


class Live(Answer):
    """That the server is alive."""

    live: bool


class Ready(Answer):
    """That the server can answer."""

    ready: bool


class ModelReady(Answer):
    """That a model can answer."""

    name: str
    ready: bool


class Indexed(Answer):
    """A version in the index of all."""

    name: str
    version: str
    state: Literal["READY"]
    reason: str


class Index(RootModel[list[Indexed]]):
    """Every version of every model."""


class Described(Answer):
    """A tensor as the metadata tell it: -1 stands for any number of examples."""

    name: str
    datatype: Literal["FP32"]
    shape: list[int]


class Parameters(Answer):
    """Which version answers, and the names of its classes, separated by commas."""

    version: str
    class_names: str


class Metadata(Answer):
    """A model, its versions, and what goes in and comes out."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[Described]
    outputs: list[Described]
    parameters: Parameters


class Configured(Answer):
    """A tensor as Triton's configuration tells it, without the axis of examples."""

    name: str
    dims: list[int]
    data_type: Literal["TYPE_FP32"]


class Config(Answer):
    """A model's configuration, as Triton tells it."""

    name: str
    platform: str
    max_batch_size: int
    input: list[Configured]
    output: list[Configured]


class Size(Answer):
    """How many of the bytes after the JSON are the tensor's."""

    binary_data_size: int = Field(ge=0)


class Tensor(Answer):
    """A tensor that came out: its numbers as `data`, or as bytes after the JSON where `parameters` say so."""

    name: str
    datatype: Literal["FP32"]
    shape: list[int]
    data: list[float] | None = None
    parameters: Size | None = None


class Inferred(Answer):
    """What a model infers. id: the request's own."""

    model_name: str
    model_version: str
    outputs: list[Tensor]
    id: str | None = None


def _tensor(name: str, *shape: int) -> Described:
    return Described(name=name, datatype="FP32", shape=[-1, *shape])


def _configured(name: str, *dims: int) -> Configured:
    return Configured(name=name, dims=list(dims), data_type="TYPE_FP32")


def _inferred() -> Told:
    told = success(
        Inferred(
            model_name="lenet",
            model_version="1",
            outputs=[Tensor(name="probabilities", datatype="FP32", shape=[1, 3], data=[0.75, 0.25, 0.0])],
        )
    )
    # With the binary extension: the JSON, then the tensors.
    told["responses"][200]["content"]["application/octet-stream"] = {"schema": {"type": "string", "format": "binary"}}
    return told


SERVER = success(Server(name="atelier", version=__version__, extensions=["binary_tensor_data", "model_repository"]))
LIVE = success(Live(live=True))
READY = success(Ready(ready=True))
MODEL_READY = success(ModelReady(name="lenet", ready=True))
INDEX = success(Index([Indexed(name="lenet", version="1", state="READY", reason="")]))
METADATA = success(
    Metadata(
        name="lenet",
        versions=["1"],
        platform="atelier",
        inputs=[_tensor("pixels", 1, 28, 28)],
        outputs=[_tensor("logits", 10), _tensor("probabilities", 10)],
        parameters=Parameters(version="1", class_names="T-shirt/top,Trouser,Pullover"),
    )
)
CONFIG = success(
    Config(
        name="lenet",
        platform="atelier",
        max_batch_size=1024,
        input=[_configured("pixels", 1, 28, 28)],
        output=[_configured("logits", 10), _configured("probabilities", 10)],
    )
)
INFERRED = _inferred()
