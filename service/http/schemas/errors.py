"""Errors in the two forms that `service.http.errors` gives them."""

from typing import Any

from pydantic import BaseModel, Field

from service.http.schemas.base import ResponseModel


class Problem(ResponseModel):
    """An error (RFC 9457)."""

    type: str
    title: str
    status: int = Field(ge=400, le=599)
    detail: str


class ProtocolError(ResponseModel):
    """An error in the form of the Open Inference Protocol."""

    error: str


def _error(schema: type[BaseModel], media_type: str, example: dict[str, Any]) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": schema.model_json_schema(), "example": example}}
    descriptions = {"4XX": "The request can't be answered", "5XX": "The service can't answer now"}
    return {code: {"description": text, "content": content} for code, text in descriptions.items()}


PROBLEM = _error(
    Problem,
    "application/problem+json",
    {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "there is no model 'lenet'"},
)
PROTOCOL_ERROR = _error(ProtocolError, "application/json", {"error": "the input is named 'pixels', got 'image'"})
