"""Runs over HTTP: what there is, the rounds so far, and those to come as server-sent events."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import NotFound
from service.home import Home
from service.http.limits import Limits
from service.http.problems import problem
from service.http.schemas import runs as answers
from service.http.serializers import run_view, run_views
from service.runs import RunFolder

POLL_S, KEEP_ALIVE_S = 0.3, 15.0


def run_routes(home: Home, limits: Limits) -> APIRouter:
    """Everything below `/api/runs`."""
    router = APIRouter(prefix="/api", tags=["runs"])
    streams = asyncio.Semaphore(limits.streams)

    @router.get("/runs", summary="The newest runs, at most `limit`", **answers.RUNS)
    def runs(limit: Annotated[int, Query(ge=1, le=100)] = 50) -> dict[str, Any]:
        return {"items": run_views(home.runs, limit)}

    @router.get("/runs/{run}", summary="A run: what was asked, and how each epoch went", **answers.FULL_RUN)
    def one(run: str) -> dict[str, Any]:
        folder = open_run(home, run)
        epochs = [entry for entry in folder.entries() if entry["kind"] == "epoch"]
        return {**run_view(folder), "asked": folder.facts(), "history": epochs}

    @router.get("/runs/{run}/rounds", summary="The rounds so far", **answers.ROUNDS)
    def rounds(
        run: str,
        after: Annotated[int, Query(ge=-1, le=2**53)] = -1,
        limit: Annotated[int, Query(ge=1, le=10_000)] = 1000,
    ) -> dict[str, Any]:
        found = (e for e in open_run(home, run).entries() if e["kind"] == "round" and e["round"] > after)
        return {"items": [entry for entry, _ in zip(found, range(limit), strict=False)]}

    @router.get(
        "/runs/{run}/events",
        summary="The round log as it is written (server-sent events)",
        response_class=StreamingResponse,
        **answers.EVENTS,
    )
    async def events(request: Request, run: str) -> StreamingResponse:
        folder = open_run(home, run)
        last = request.headers.get("last-event-id", "")
        skip = int(last) + 1 if last.isascii() and last.isdigit() and len(last) < 16 else 0

        return _Live(streams, follow(folder.log, skip))

    return router


class _Live(StreamingResponse):
    """Events as long as there is room for another live page."""

    def __init__(self, streams: asyncio.Semaphore, events: AsyncIterator[str]) -> None:
        super().__init__(events, media_type="text/event-stream", headers={"cache-control": "no-store"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams.locked():
            refused = problem(scope["path"], 503, "too many live pages are open already: try again later")
            await refused(scope, receive, send)
            return
        async with self._streams:
            await super().__call__(scope, receive, send)


def open_run(home: Home, run: str) -> RunFolder:
    """The run of that name. Raises NotFound, also for names that no file system would take."""
    if len(run) > 100 or "\0" in run:
        raise NotFound(f"there is no run {run[:100]!r}")
    return RunFolder.open(home.runs, run)


async def follow(log: Path, skip: int = 0) -> AsyncIterator[str]:
    """Each whole line of a log as an event named by its kind, from line `skip` on, until the run ends."""
    offset, number, quiet = 0, 0, 0.0
    while True:
        lines, offset = await asyncio.to_thread(_new_lines, log, offset)
        last = ""
        for line in lines:
            last = json.loads(line)["kind"]
            if number >= skip:
                yield f"id: {number}\nevent: {last}\ndata: {line}\n\n"
            number += 1
        if last == "end":
            return
        quiet = 0.0 if lines else quiet + POLL_S
        if quiet >= KEEP_ALIVE_S:
            quiet = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(POLL_S)


def _new_lines(log: Path, offset: int) -> tuple[list[str], int]:
    try:
        with log.open("rb") as file:
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return [], offset
    whole = content[: content.rfind(b"\n") + 1]
    return whole.decode().splitlines(), offset + len(whole)
