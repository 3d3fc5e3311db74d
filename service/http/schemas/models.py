"""Models and their versions."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from service.http.schemas.base import ResponseModel, content, success

_DIGEST = "2c" * 32


class File(ResponseModel):
    """One of a version's files."""

    sha256: str
    size: int = Field(ge=0)
    href: str


class Network(ResponseModel):
    """How to build the network.

    Attributes:
        digest: The SHA-256 of its description; versions of before have none.
        description: Its initializer and its layers; only where one version is shown.
    """

    name: str
    input_shape: list[int]
    classes: int = Field(ge=1)
    resize: int = Field(ge=0)
    digest: str = ""
    description: dict[str, Any] = Field(default_factory=dict)


class Version(ResponseModel):
    """A version, with what lists show. lineage: the run, the data and the parameters that it comes from."""

    name: str
    version: int = Field(ge=1)
    aliases: list[str]
    created: str
    dataset: str
    network: Network
    class_names: list[str]
    metrics: dict[str, float]
    tags: list[str]
    warnings: list[str]
    lineage: dict[str, Any]
    files: dict[str, File]


class VersionPage(ResponseModel):
    """A page of versions. total: those on all pages. cursor: what asks for the next page; empty on the last."""

    items: list[Version]
    total: int = Field(ge=0)
    cursor: str


class Aliases(RootModel[dict[str, int]]):
    """The version that each alias stands for."""


class ModelAliases(ResponseModel):
    """A model's aliases after one was set."""

    name: str
    aliases: Aliases


class Model(ResponseModel):
    """A model, with the numbers of its versions."""

    name: str
    versions: list[int]
    aliases: Aliases


class Epoch(BaseModel):
    """The figures of an epoch; more where examples were held out for validation."""

    model_config = ConfigDict(extra="allow")

    epoch: int = Field(ge=1)
    train_loss: float
    train_accuracy: float
    test_accuracy: float | None
    examples_per_s: float
    wall_s: float


class ClassFigures(ResponseModel):
    """How well one class is recognised. support: examples of it."""

    name: str
    support: int
    precision: float
    recall: float
    f1: float


class CalibrationBin(ResponseModel):
    """Predictions of about the same confidence."""

    count: int
    confidence: float
    accuracy: float


class Score(ResponseModel):
    """The figures on the examples that were held out for validation."""

    examples: int
    loss: float
    accuracy: float


class Evaluation(ResponseModel):
    """The figures on the test examples.

    Attributes:
        confusion: Counts by true class, then by predicted class.
        balanced_accuracy: The mean recall of the classes; versions from before lack it.
    """

    examples: int
    loss: float
    accuracy: float
    classes: list[ClassFigures]
    confusion: list[list[int]]
    calibration_error: float
    calibration: list[CalibrationBin]
    balanced_accuracy: float | None = None
    validation: Score | None = None


class FullVersion(Version):
    """A version with its configuration, its training and its evaluation."""

    config: dict[str, Any]
    history: list[Epoch]
    evaluation: Evaluation


class Comparison(ResponseModel):
    """Versions side by side, in the order of the request."""

    models: list[FullVersion]


_VERSION: dict[str, Any] = {
    "name": "lenet",
    "version": 1,
    "aliases": ["champion"],
    "created": "2026-11-23T18:16:00+00:00",
    "dataset": "fashion-mnist",
    "network": Network(name="lenet", input_shape=[1, 28, 28], classes=10, resize=0),
    "class_names": ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat"],
    "metrics": {"train_loss": 0.47, "train_accuracy": 0.82, "test_loss": 0.5, "test_accuracy": 0.8},
    "tags": ["small"],
    "warnings": [],
    "lineage": {"run": "20261123-181500-4f2a"},
    "files": {"history.json": File(sha256=_DIGEST, size=1480, href="/api/models/lenet/versions/1/files/history.json")},
}
_DETAILS: dict[str, Any] = {
    "config": {"model": "lenet", "epochs": 10},
    "history": [
        Epoch(epoch=1, train_loss=0.81, train_accuracy=0.69, test_accuracy=0.72, examples_per_s=41000.0, wall_s=1.46)
    ],
    "evaluation": Evaluation(
        examples=10000,
        loss=0.5,
        accuracy=0.8,
        classes=[ClassFigures(name="Trouser", support=1000, precision=0.96, recall=0.94, f1=0.95)],
        confusion=[[8000, 1000], [1000, 0]],
        calibration_error=0.02,
        calibration=[CalibrationBin(count=10000, confidence=0.82, accuracy=0.8)],
        balanced_accuracy=0.79,
    ),
}
_ALIASES = Aliases({"champion": 1})

VERSION_PAGE = success(VersionPage(items=[Version(**_VERSION)], total=1, cursor=""))
MODEL = success(Model(name="lenet", versions=[1], aliases=_ALIASES))
FILE = content(
    {
        "application/octet-stream": None,
        "application/json": [{"epoch": 1, "train_loss": 0.81}],
        "image/png": None,
        "text/markdown": "# lenet:1\n",
    }
)
FULL_VERSION = success(FullVersion(**_VERSION, **_DETAILS))
COMPARISON = success(Comparison(models=[FullVersion(**_VERSION, **_DETAILS), FullVersion(**_VERSION, **_DETAILS)]))
ALIASES = success(_ALIASES)
ALIAS_SET = success(ModelAliases(name="lenet", aliases=_ALIASES))
