"""Whether the server is well, and its figures for Prometheus."""

import asyncio

from fastapi import APIRouter
from prometheus_client import CollectorRegistry, generate_latest
from starlette.responses import Response

from service import __version__
from service.errors import StorageError
from service.http.schemas.health import HEALTH, METRICS
from service.registry import Registry

FRESH_S = 1.0
"""For how many seconds the last look at the models counts."""

TIMEOUT_S = 10.0
"""Seconds after which models that don't answer count as out of reach."""


class Readiness:
    """Whether the models can be read. Belongs to one event loop."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._checking: asyncio.Task[None] | None = None
        self._fresh_until = 0.0

    async def check(self) -> None:
        """Raise StorageError where the models can't be listed now. One look is enough for all who ask at a time."""
        if asyncio.get_running_loop().time() < self._fresh_until:
            return
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._list_models())
        try:
            await asyncio.wait_for(asyncio.shield(self._checking), TIMEOUT_S)
        except TimeoutError:
            raise StorageError(f"the models did not answer within {TIMEOUT_S:g} seconds") from None

    async def _list_models(self) -> None:
        await asyncio.to_thread(self._registry.names)
        self._fresh_until = asyncio.get_running_loop().time() + FRESH_S


def health_routes(readiness: Readiness, collected: CollectorRegistry) -> APIRouter:
    """`/health` and `/metrics`."""
    router = APIRouter(tags=["server"])

    @router.get("/health", summary="Is the server well, and can it read its models?", **HEALTH)
    async def health() -> dict[str, str]:
        await readiness.check()
        return {"status": "ok", "version": __version__}

    @router.get("/metrics", summary="Figures for Prometheus", response_class=Response, **METRICS)
    def metrics() -> Response:
        return Response(generate_latest(collected), media_type="text/plain; version=0.0.4; charset=utf-8")

    return router
