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
AWAY = "the models can't be read or written now; the server's log says why"
STATUS = {InvalidInput: 422, NotFound: 404, Conflict: 409, StorageError: 503}
HIDDEN = {500: UNEXPECTED, 503: AWAY}


class Refused(AtelierError):
    """A request that is refused with a status of its own."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


def problem(path: str, status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    """The answer for an error on this path: below `/v2` as `{"error": …}`, elsewhere as a problem."""
    if path == "/v2" or path.startswith("/v2/"):
        # The protocol knows one status for whatever the client did wrong.
        status = 400 if status == 422 else status
        return Response(json.dumps({"error": detail}), status, headers, "application/json")
    body = {"type": "about:blank", "title": HTTPStatus(status).phrase, "status": status, "detail": detail}
    return Response(json.dumps(body), status, headers, "application/problem+json")


def told(path: str, error: AtelierError | OpsError) -> Response:
    """The answer for something that was expected to go wrong. What is wrong here doesn't tell where files lie."""
    if isinstance(error, OpsError):
        return problem(path, 422, str(error))
    if isinstance(error, Refused):
        headers = {"www-authenticate": "Bearer"} if error.status == 401 else None
        return problem(path, error.status, str(error), headers)
    status = STATUS.get(type(error), 500)
    if status in HIDDEN:
        log.error("%s: %s", path, error)
    return problem(path, status, HIDDEN.get(status, str(error)))


def too_large(path: str, limit: int) -> Response:
    return problem(path, 413, f"a request body may have {limit} bytes", {"connection": "close"})


def too_slow(path: str, seconds: float) -> Response:
    return problem(path, 408, f"the request body did not arrive within {seconds:g} seconds", {"connection": "close"})


def install(app: FastAPI) -> None:
    """Turn every expected exception into its answer, in this one place."""

    @app.exception_handler(AtelierError)
    @app.exception_handler(OpsError)
    async def known(request: Request, error: AtelierError | OpsError) -> Response:
        return told(request.url.path, error)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return problem(request.url.path, 422, f"{where}: {first['msg']}")

    @app.exception_handler(HTTPException)
    async def http(request: Request, error: HTTPException) -> Response:
        return problem(request.url.path, error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(Exception)
    async def unexpected(request: Request, error: Exception) -> Response:
        return problem(request.url.path, 500, UNEXPECTED)
