"""The classes that a model predicts for images."""

from pydantic import Field

from service.http.schemas.base import ResponseModel, success


class ClassProbability(ResponseModel):
    """A class and its probability."""

    label: str
    probability: float = Field(ge=0, le=1)


class Predictions(ResponseModel):
    """The classes of images.

    Attributes:
        model: Which model predicted.
        version: Which version of it.
        predictions: For each image its most probable classes, the most probable first.
        warnings: For each image what makes it unlike those that the model was trained on.
    """

    model: str
    version: int = Field(ge=1)
    predictions: list[list[ClassProbability]]
    warnings: list[list[str]]


_EXAMPLE = [ClassProbability(label="Sneaker", probability=0.75), ClassProbability(label="Bag", probability=0.25)]

PREDICTIONS = success(Predictions(model="lenet", version=1, predictions=[_EXAMPLE], warnings=[[]]))
