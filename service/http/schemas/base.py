"""What all answers share: nothing in them is left undescribed, and each shows an example of itself."""

from typing import Any

from pydantic import BaseModel, ConfigDict

Told = dict[str, Any]
"""Named arguments for a route's decorator."""


class Answer(BaseModel):
    """An answer or a part of one, with these fields and no others."""

    model_config = ConfigDict(extra="forbid")


def success(example: BaseModel) -> Told:
    """The answer to a request that went well: of the example's kind."""
    shown = example.model_dump(mode="json", exclude_unset=True)
    told = {"model": type(example), "content": {"application/json": {"example": shown}}}
    return {"response_model": None, "responses": {200: told}}


def content(examples: dict[str, Any]) -> Told:
    """The same by media type, for answers of no one form: text, JSON, or None for bytes, which can't be shown."""
    told = {"content": {media_type: _shown(example) for media_type, example in examples.items()}}
    return {"responses": {200: told}}


def _shown(example: Any) -> dict[str, Any]:
    match example:
        case None:
            return {"schema": {"type": "string", "format": "binary"}}
        case str():
            return {"schema": {"type": "string"}, "example": example}
        case _:
            return {"schema": {}, "example": example}
