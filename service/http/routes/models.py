"""Models over HTTP: find, show, download, compare, set aliases, delete."""

import hmac
from pathlib import PurePath
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from service.errors import NotFound
from service.http.errors import HttpError
from service.http.range_responses import range_response
from service.http.schemas import models as schemas
from service.http.serializers import serialize_model_details, serialize_models
from service.model_ref import NAME
from service.registry import ModelRef, Registry, search

TYPES = {".json": "application/json", ".png": "image/png", ".md": "text/markdown; charset=utf-8"}
ModelName = Annotated[str, Path(pattern=NAME, examples=["lenet"])]
Version = Annotated[str, Path(max_length=64, description="A number or an alias.", examples=["champion"])]
Number = Annotated[int, Path(ge=1, le=999_999_999, examples=[1])]
Labels = Annotated[list[str], Query(min_length=2, max_length=6, examples=[["lenet:1", "lenet:2"]])]


class NewAlias(BaseModel):
    """The version that an alias is to stand for."""

    version: int = Field(ge=1, le=999_999_999, examples=[1])


def model_routes(registry: Registry, token: str) -> APIRouter:
    """Everything below `/api/models`, and `/api/compare`. token: what writing takes; empty refuses all writing."""
    router = APIRouter(prefix="/api", tags=["models"])

    @router.get("/models", summary="Find versions", **schemas.VERSION_PAGE)
    def find(
        request: Request,
        dataset: Annotated[str, Query(max_length=64)] = "",
        min_accuracy: Annotated[float, Query(ge=0, le=1)] = 0,
        tag: Annotated[str, Query(max_length=64)] = "",
        name: Annotated[str, Query(max_length=64)] = "",
        sort: Annotated[str, Query(max_length=32, examples=["-test_accuracy"])] = "-created",
        limit: Annotated[int, Query(ge=1, le=search.LIMIT)] = 20,
        cursor: Annotated[str, Query(max_length=256)] = "",
    ) -> dict[str, Any]:
        query = search.Query(dataset, min_accuracy, tag, name, sort, limit, cursor)
        page = search.find(registry, query)
        return {
            "items": serialize_models(registry, page.items, request.scope["root_path"]),
            "total": page.total,
            "cursor": page.cursor,
        }

    @router.get("/models/{name}", summary="A model: its versions and aliases", **schemas.MODEL)
    def model(name: ModelName) -> dict[str, Any]:
        return {"name": name, "versions": _versions(registry, name), "aliases": registry.aliases(name)}

    @router.get(
        "/models/{name}/versions/{version}",
        summary="A version with metrics, configuration and history",
        **schemas.FULL_VERSION,
    )
    def version(request: Request, name: ModelName, version: Version) -> dict[str, Any]:
        return serialize_model_details(registry, registry.get(name, version), request.scope["root_path"])

    @router.get("/compare", summary="Versions side by side", **schemas.COMPARISON)
    def compare(request: Request, model: Labels) -> dict[str, Any]:
        found = [registry.find(ModelRef.parse(label)) for label in model]
        return {"models": [serialize_model_details(registry, each, request.scope["root_path"]) for each in found]}

    _add_file_route(router, registry)
    _add_alias_routes(router, registry, token)
    return router


def _versions(registry: Registry, name: str) -> list[int]:
    """The versions of a model, which may have no champion. Raises NotFound where there is none."""
    versions = registry.versions(name)
    if not versions:
        raise NotFound(f"there is no model {name!r}")
    return versions


def _add_file_route(router: APIRouter, registry: Registry) -> None:
    @router.get(
        "/models/{name}/versions/{version}/files/{file}",
        summary="Download a file",
        response_class=Response,
        **schemas.FILE,
    )
    def file(request: Request, name: ModelName, version: Version, file: str) -> Response:
        model = registry.get(name, version)
        tag = f'"{model.digest(file)}"'
        # A number stands for the same bytes for ever, an alias doesn't.
        cache = "public, max-age=31536000, immutable" if version.isdigit() else "no-cache"
        headers = {"etag": tag, "cache-control": cache}
        known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
        if tag in known or "*" in known:
            return Response(status_code=304, headers=headers)
        kind = TYPES.get(PurePath(file).suffix, "application/octet-stream")
        return range_response(request, model.read_file(file), kind, headers)


def _add_alias_routes(router: APIRouter, registry: Registry, token: str) -> None:
    """What aliases there are, and all that writes: setting one, and deleting a version."""

    def may_write(request: Request) -> None:
        if not token:
            raise HttpError(403, "writing is switched off: start the server with ATELIER_API_TOKEN set")
        authorization = request.headers.get("authorization", "").encode()
        if not hmac.compare_digest(authorization, f"Bearer {token}".encode()):
            raise HttpError(401, "writing needs the header `Authorization: Bearer <token>`")

    @router.get("/models/{name}/aliases", summary="The version that each alias stands for", **schemas.ALIASES)
    def aliases(name: ModelName) -> dict[str, int]:
        _versions(registry, name)
        return registry.aliases(name)

    @router.put(
        "/models/{name}/aliases/{alias}", summary="Set an alias", dependencies=[Depends(may_write)], **schemas.ALIAS_SET
    )
    def set_alias(name: ModelName, alias: Annotated[str, Path(pattern=NAME)], body: NewAlias) -> dict[str, Any]:
        registry.set_alias(name, alias, body.version)
        return {"name": name, "aliases": registry.aliases(name)}

    @router.delete(
        "/models/{name}/aliases/{alias}",
        summary="Remove an alias",
        status_code=204,
        dependencies=[Depends(may_write)],
    )
    def remove_alias(name: ModelName, alias: Annotated[str, Path(pattern=NAME)]) -> Response:
        registry.remove_alias(name, alias)
        return Response(status_code=204)

    @router.delete(
        "/models/{name}/versions/{version}",
        summary="Delete a version",
        status_code=204,
        dependencies=[Depends(may_write)],
    )
    def delete(name: ModelName, version: Number) -> Response:
        registry.delete(name, version)
        return Response(status_code=204)
