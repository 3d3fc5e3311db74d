"""What a model says of images."""

from pydantic import Field

from service.http.schemas.form import Answer, success


class Likely(Answer):
    """A class and how probable the model holds it."""

    label: str
    probability: float = Field(ge=0, le=1)


class Predictions(Answer):
    """For each image its likeliest classes, the likeliest first."""

    model: str
    version: int = Field(ge=1)
    predictions: list[list[Likely]]


PREDICTIONS = success(
    Predictions(
        model="lenet",
        version=1,
        predictions=[[Likely(label="Sneaker", probability=0.75), Likely(label="Ankle boot", probability=0.25)]],
    )
)
