"""What answers look like, for the OpenAPI document: schemas, each with an example."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Problem(BaseModel):
    """An error (RFC 9457)."""

    model_config = ConfigDict(extra="forbid")

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str


class ProtocolError(BaseModel):
    """An error in the form of the Open Inference Protocol."""

    model_config = ConfigDict(extra="forbid")

    error: str


class Likely(BaseModel):
    """A class and how probable the model holds it."""

    model_config = ConfigDict(extra="forbid")

    label: str
    probability: float = Field(ge=0, le=1)


class Predictions(BaseModel):
    """For each image its likeliest classes, the likeliest first."""

    model_config = ConfigDict(extra="forbid")

    model: str
    version: int = Field(ge=1)
    predictions: list[list[Likely]]


def _error(schema: type[BaseModel], media_type: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": schema.model_json_schema(), "example": example}}
    return {"4XX": {"description": "The request can't be answered", "content": content}}


PROBLEM = _error(
    Problem,
    "application/problem+json",
    {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no model 'lenet'"},
)
PROTOCOL_ERROR = _error(ProtocolError, "application/json", {"error": "the input is named 'pixels', got 'image'"})
_LIKELY = [{"label": "Sneaker", "probability": 0.75}, {"label": "Ankle boot", "probability": 0.25}]
_PREDICTED = {"model": "lenet", "version": 1, "predictions": [_LIKELY]}
PREDICTIONS: dict[int | str, dict[str, Any]] = {
    200: {"model": Predictions, "content": {"application/json": {"example": _PREDICTED}}}
}
