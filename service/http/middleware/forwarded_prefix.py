"""The sub-path under which a proxy publishes the service: `https://host/team/atelier/` instead of `https://host/`."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX = re.compile(r"(/[A-Za-z0-9._~-]+)+")
OWN_ROUTES = (
    *("api", "v2", "models", "compare", "try", "runs", "data", "sweeps"),
    *("images", "static", "health", "metrics"),
)


class ForwardedPrefixMiddleware:
    """ASGI middleware that takes the sub-path off a request's path and keeps it as `scope["prefix"]`, for links.

    The sub-path is what a proxy sends as `X-Forwarded-Prefix`, or else `prefix`. A proxy may take it off the path
    itself, as is usual, or pass the path on unchanged; the latter can't work for one that begins as our routes do.
    """

    def __init__(self, app: ASGIApp, prefix: str = "") -> None:
        self._app = app
        self._prefix = prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            scope["prefix"] = _forwarded_prefix(scope) or self._prefix
            if scope["prefix"]:
                scope["path"] = _without(scope["prefix"], scope["path"])
        await self._app(scope, receive, send)


class RootPathMiddleware:
    """ASGI middleware, innermost: gives a framework the prefix in the form that ASGI has for it.

    There `path` begins with `root_path`; ours work with the path alone.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # In place: whoever counts requests reads the route that the framework writes into this very scope.
            scope["root_path"] = scope["prefix"]
            scope["path"] = scope["prefix"] + scope["path"]
        await self._app(scope, receive, send)


def _without(prefix: str, path: str) -> str:
    """The path without the sub-path, where it has it: a proxy may have taken it off."""
    is_theirs = prefix.split("/")[1] not in OWN_ROUTES and (path == prefix or path.startswith(f"{prefix}/"))
    return path.removeprefix(prefix) or "/" if is_theirs else path


def valid_prefix(value: str) -> str | None:
    """A sub-path without its last slash; empty for the root, and None for what is none."""
    prefix = value.rstrip("/")
    return prefix if not prefix or PREFIX.fullmatch(prefix) else None


def _forwarded_prefix(scope: Scope) -> str:
    """What the header says; nothing where it isn't a path, so that it can't make links to another host."""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-prefix":
            return valid_prefix(value.decode("latin-1")) or ""
    return ""
