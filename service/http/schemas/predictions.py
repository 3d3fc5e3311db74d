"""The classes that a model predicts for images."""

from pydantic import Field

from service.http.schemas.base import ResponseModel, success


class ClassProbability(ResponseModel):
    """A class and its probability."""

    label: str
    probability: float = Field(ge=0, le=1)


class Predictions(ResponseModel):
    """For each image its likeliest classes, the likeliest first."""

    model: str
    version: int = Field(ge=1)
    predictions: list[list[ClassProbability]]


PREDICTIONS = success(
    Predictions(
        model="lenet",
        version=1,
        predictions=[
            [
                ClassProbability(label="Sneaker", probability=0.75),
                ClassProbability(label="Ankle boot", probability=0.25),
            ]
        ],
    )
)
