"""Predictions of requests that come at the same time, computed together; what takes long runs beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from service.environment.processors import usable_processors
from service.http.errors import HttpError
from service.inference.pixels import to_whole_bytes
from service.inference.predictor import Predictor

QUICK_FLOPS = 2e8
"""Floating-point operations that are done at once instead of in a thread: about two milliseconds."""

BATCH = 16
"""Requests with fewer images than this are answered together with others that came at the same time."""


class Batcher:
    """Computes logits. Belongs to one event loop."""

    def __init__(self, timeout_s: float) -> None:
        """timeout_s: seconds after which a prediction is given up."""
        self._timeout_s = timeout_s
        self._threads = ThreadPoolExecutor(usable_processors(), thread_name_prefix="predict")
        self._waiting: dict[int, list[tuple[NDArray[np.uint8], asyncio.Future[Floats]]]] = {}
        self._has_answered_in_turn = False

    async def logits(self, predictor: Predictor, images: NDArray[np.uint8]) -> Floats:
        """Logits (n, classes) of images (n, h, w) or (n, c, h, w), at once if that is quick and else in a thread.

        Raises HttpError (503) where it takes longer than the limit.
        """
        if images.ndim == 4 and images.shape[1] == 1:
            images = images[:, 0]  # so that all that wait together have one shape
        if predictor.flops * max(len(images), BATCH) <= QUICK_FLOPS and len(images) < BATCH:
            if self._is_first_of_turn():
                return predictor.logits(images)
            return await self._enqueue(predictor, images)
        if predictor.flops * len(images) <= QUICK_FLOPS:
            return predictor.logits(images)
        return await self.in_thread(predictor.logits, images)

    async def logits_of_floats(self, predictor: Predictor, x_nchw: Floats) -> Floats:
        """Logits of pixels that were divided by 255 already; those that aren't whole bytes take a slower way.

        Raises HttpError (503) where it takes longer than the limit.
        """
        images = to_whole_bytes(x_nchw)
        if images is not None:
            return await self.logits(predictor, images)
        return await self.in_thread(predictor.logits_of_floats, x_nchw)

    async def in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """The result of work for the processor, of which as much runs at a time as there are cores.

        In threads of its own: what is late goes on, and must not keep those who only ask the registry.
        Raises HttpError (503) where it takes longer than the limit.
        """
        try:
            running = asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)
            return await asyncio.wait_for(running, self._timeout_s)
        except TimeoutError:
            raise HttpError(503, f"the prediction took longer than {self._timeout_s:g} seconds") from None

    def _is_first_of_turn(self) -> bool:
        """Whether no other asked in this turn of the event loop: whoever is first is most often alone."""
        if self._has_answered_in_turn:
            return False
        self._has_answered_in_turn = True
        asyncio.get_running_loop().call_soon(self._end_turn)
        return True

    def _end_turn(self) -> None:
        self._has_answered_in_turn = False

    def _enqueue(self, predictor: Predictor, images: NDArray[np.uint8]) -> "asyncio.Future[Floats]":
        """Logits computed with those of all requests ready by now: the engine takes 16 for the price of a few."""
        loop = asyncio.get_running_loop()
        waiting = self._waiting.setdefault(id(predictor), [])
        if not waiting:
            # After whatever is ready now, which is how the others get in.
            loop.call_soon(self._flush, predictor)
        future: asyncio.Future[Floats] = loop.create_future()
        waiting.append((images, future))
        return future

    def _flush(self, predictor: Predictor) -> None:
        waiting = self._waiting.pop(id(predictor))
        try:
            all_images = waiting[0][0] if len(waiting) == 1 else np.concatenate([images for images, _ in waiting])
            logits = predictor.logits(all_images)
        except Exception as error:  # whoever waits must hear of it, whatever it is
            for _, future in waiting:
                if not future.done():
                    future.set_exception(error)
            return
        start = 0
        for images, future in waiting:
            if not future.done():
                future.set_result(logits[start : start + len(images)])
            start += len(images)
