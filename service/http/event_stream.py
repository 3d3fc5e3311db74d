"""A run's log as server-sent events, line by line while it is written."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import Executor

from starlette.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from service.errors import StorageError
from service.files import canonical_json
from service.http.errors import HttpError, error_response
from service.runs import Run

POLL_S = 0.3
"""Seconds between two looks at the log."""

KEEP_ALIVE_S = 15.0
"""Seconds of silence after which a comment keeps proxies from closing the connection."""


class EventStream(StreamingResponse):
    """Events, as long as there is room for another open stream; else 503."""

    def __init__(self, streams: asyncio.Semaphore, events: AsyncIterator[str]) -> None:
        # Proxies would hold events back until they have enough of them.
        headers = {"cache-control": "no-store", "x-accel-buffering": "no"}
        super().__init__(events, media_type="text/event-stream", headers=headers)
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._streams.locked():
            refused = HttpError(503, "too many live pages are open already: try again later")
            await error_response(scope["path"], refused)(scope, receive, send)
            return
        async with self._streams:
            await super().__call__(scope, receive, send)


async def log_events(run: Run, looks: Executor, skip: int = 0) -> AsyncIterator[str]:
    """Each line of a run's log as an event named by its kind, until the run ends.

    Args:
        run: the run.
        looks: where the log is read.
        skip: how many lines are left out.
    """
    position, number, silence_s, poll_s = 0, 0, 0.0, max(POLL_S, run.poll_s)
    while True:
        try:
            entries, position = await asyncio.get_running_loop().run_in_executor(looks, run.tail, position)
        except StorageError:  # whoever listens asks again, from the line where this ends
            return
        for entry in entries:
            if number >= skip:
                yield f"id: {number}\nevent: {entry['kind']}\ndata: {canonical_json(entry)}\n\n"
            number += 1
        if entries and entries[-1]["kind"] == "end":
            return
        silence_s = 0.0 if entries else silence_s + poll_s
        if silence_s >= KEEP_ALIVE_S:
            silence_s = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(poll_s)
