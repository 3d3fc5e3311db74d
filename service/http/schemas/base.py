"""What all responses share: nothing in them is left undescribed, and each shows an example of itself."""

from typing import Any

from pydantic import BaseModel, ConfigDict

RouteArguments = dict[str, Any]
"""Named arguments for a route's decorator."""


class ResponseModel(BaseModel):
    """A response or a part of one, with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


def success(example: BaseModel) -> RouteArguments:
    """Describes a JSON response of the example's kind."""
    shown = example.model_dump(mode="json", exclude_unset=True)
    described = {"model": type(example), "content": {"application/json": {"example": shown}}}
    return {"response_model": None, "responses": {200: described}}


def content(examples: dict[str, Any]) -> RouteArguments:
    """The same by media type, for responses of several forms: text, JSON, or None for bytes, which can't be shown."""
    described = {"content": {media_type: _described(example) for media_type, example in examples.items()}}
    return {"responses": {200: described}}


def _described(example: Any) -> dict[str, Any]:
    match example:
        case None:
            return {"schema": {"type": "string", "format": "binary"}}
        case str():
            return {"schema": {"type": "string"}, "example": example}
        case _:
            return {"schema": {}, "example": example}
