"""Errors as people and programs can read them: `application/problem+json` (RFC 9457), or the protocol's own form."""

import json
import logging
from http import HTTPStatus

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from ops.errors import OpsError
from service.errors import AtelierError, Conflict, InvalidInput, NotFound, StorageError

log = logging.getLogger(__name__)

UNEXPECTED = "something went wrong here; the server's log says what"
STORAGE_AWAY = "the storage can't be read or written now; the server's log says why"
STATUS = {InvalidInput: 422, NotFound: 404, Conflict: 409, StorageError: 503}
LOGGED_ONLY = {500: UNEXPECTED, 503: STORAGE_AWAY}
"""By status, what is said instead of a message that would tell where files lie."""


class HttpError(AtelierError):
    """A request that is refused with a status of its own. close: end the connection with it."""

    def __init__(self, status: int, message: str, *, close: bool = False) -> None:
        super().__init__(message)
        self.status = status
        self.close = close


def problem_response(path: str, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The response to an error on this path: below `/v2` as `{"error": …}`, elsewhere as a problem."""
    if path == "/v2" or path.startswith("/v2/"):
        # The protocol knows one status for whatever the client did wrong.
        status = 400 if status == 422 else status
        return Response(json.dumps({"error": detail}), status, headers, "application/json")
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, "application/problem+json")


def error_response(path: str, error: AtelierError | OpsError) -> Response:
    """The response to an exception that was expected."""
    if isinstance(error, OpsError):
        return problem_response(path, 422, str(error))
    if isinstance(error, HttpError):
        headers = {"www-authenticate": "Bearer"} if error.status == 401 else {}
        return problem_response(
            path, error.status, str(error), headers | ({"connection": "close"} if error.close else {})
        )
    status = next((STATUS[kind] for kind in type(error).__mro__ if kind in STATUS), 500)
    if status in LOGGED_ONLY:
        log.error("%s: %s", path, error)
    return problem_response(path, status, LOGGED_ONLY.get(status, str(error)))


def add_error_handlers(app: FastAPI) -> None:
    """Turn every expected exception into its response, in this one place."""

    @app.exception_handler(AtelierError)
    @app.exception_handler(OpsError)
    async def expected(request: Request, error: AtelierError | OpsError) -> Response:
        return error_response(_route_path(request), error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem_response(_route_path(request), 422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return problem_response(_route_path(request), error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return problem_response(_route_path(request), 500, UNEXPECTED)


def _route_path(request: Request) -> str:
    """The path without the sub-path under which a proxy publishes the service."""
    path: str = request.scope["path"]
    return path.removeprefix(request.scope.get("root_path", ""))
