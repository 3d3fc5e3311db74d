"""Runs over HTTP: which there are, their rounds so far, and those to come as server-sent events."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse

from service.errors import NotFound
from service.home import Home
from service.http.event_stream import EventStream, log_events
from service.http.limits import Limits
from service.http.schemas import runs as schemas
from service.http.serializers import serialize_run, serialize_runs
from service.runs import Run, find_run

LOOKS_AT_A_TIME = 4
"""Live pages whose logs are read together."""


def run_routes(home: Home, limits: Limits) -> APIRouter:
    """Everything below `/api/runs`."""
    router = APIRouter(prefix="/api", tags=["runs"])
    streams = asyncio.Semaphore(limits.streams)
    # Threads of their own: a storage of runs that is away shall hold up nothing else.
    looks = ThreadPoolExecutor(LOOKS_AT_A_TIME, "runs")

    @router.get("/runs", summary="The newest runs, at most `limit`", **schemas.RUNS)
    def runs(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> dict[str, Any]:
        return {"items": serialize_runs(home.runs, limit)}

    @router.get("/runs/{run}", summary="A run: its configuration, and its epochs", **schemas.FULL_RUN)
    def run_details(run: str) -> dict[str, Any]:
        folder = open_run(home, run)
        epochs = [entry for entry in folder.entries() if entry["kind"] == "epoch"]
        return {**serialize_run(folder), "asked": folder.facts(), "history": epochs}

    @router.get("/runs/{run}/rounds", summary="The rounds so far", **schemas.ROUNDS)
    def rounds(
        run: str,
        after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        found = (e for e in open_run(home, run).entries() if e["kind"] == "round" and e["round"] > after)
        return {"items": list(islice(found, limit))}

    @router.get(
        "/runs/{run}/events",
        summary="The round log as it is written (server-sent events)",
        response_class=StreamingResponse,
        **schemas.EVENTS,
    )
    async def events(request: Request, run: str) -> StreamingResponse:
        found = await asyncio.get_running_loop().run_in_executor(looks, open_run, home, run)
        last = request.headers.get("last-event-id", "")
        skip = int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 16 else 0
        return EventStream(streams, log_events(found, looks, skip))

    return router


def open_run(home: Home, run: str) -> Run:
    """The run of that name. Raises NotFound, also for names that no file system would take."""
    if len(run) > 100 or "\0" in run:
        raise NotFound(f"there is no run {run[:100]!r}")
    return find_run(home.runs, run, patient=False)
