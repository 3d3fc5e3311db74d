"""Models ready to answer: the few that were asked last are kept with their engines built."""

import asyncio
import os
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ops.engines.base import Floats
from service.http.limits import Limits
from service.http.problems import Refused
from service.inference.predictor import Predictor, whole_bytes
from service.registry import ModelVersion, Registry

QUICK = 2e8
"""Floating-point operations that are done at once instead of in a thread: about two milliseconds."""

TOGETHER = 16
"""Requests with fewer images than this are answered together with others that came at the same time."""

FRESH_S = 1.0
"""For how many seconds it is believed which version an alias stands for."""


class PredictorCache:
    """Predictors by name and version. Belongs to one event loop."""

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.registry = registry
        self._limits = limits
        self._ready: OrderedDict[tuple[str, int], Predictor] = OrderedDict()
        self._resolved: dict[tuple[str, str], tuple[float, Predictor]] = {}
        self._asking: dict[tuple[str, str], asyncio.Task[Predictor]] = {}
        self._building = asyncio.Lock()
        self._workers = ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="predict")
        self._waiting: dict[int, list[tuple[NDArray[np.uint8], asyncio.Future[Floats]]]] = {}

    async def predictor(self, name: str, version: str = "champion") -> Predictor:
        """A version ready to answer, by number or alias. Raises NotFound, DataError or StorageError."""
        asked = name, version
        known = self._resolved.get(asked)
        if known and asyncio.get_running_loop().time() < known[0]:
            return known[1]
        if asked not in self._asking:
            # One question for all who wait for its answer: the storage may be far away.
            self._asking[asked] = asyncio.create_task(self._resolve(*asked))
            self._asking[asked].add_done_callback(lambda _: self._asking.pop(asked))
        return await asyncio.shield(self._asking[asked])

    async def _resolve(self, name: str, version: str) -> Predictor:
        until = asyncio.get_running_loop().time() + FRESH_S
        predictor = await self._built(await asyncio.to_thread(self.registry.get, name, version))
        if len(self._resolved) > 64:
            self._resolved.clear()
        self._resolved[name, version] = (until, predictor)
        return predictor

    async def logits(self, predictor: Predictor, images: NDArray[np.uint8]) -> Floats:
        """Logits of images, computed at once if that is quick and else beside the event loop.

        Raises Refused (503) where it takes longer than the limit.
        """
        if predictor.flops * max(len(images), TOGETHER) <= QUICK and len(images) < TOGETHER:
            return await self._together(predictor, images)
        if predictor.flops * len(images) <= QUICK:
            return predictor.logits(images)
        return await self.beside(predictor.logits, images)

    async def logits_of_floats(self, predictor: Predictor, x_nchw: Floats) -> Floats:
        """Logits of pixels that were divided by 255 already; those that aren't whole bytes take a slower way.

        Raises Refused (503) where it takes longer than the limit.
        """
        images = whole_bytes(x_nchw)
        if images is not None:
            return await self.logits(predictor, images)
        return await self.beside(predictor.logits_of_floats, x_nchw)

    async def beside(self, function: Callable[..., NDArray[Any]], *given: Any) -> NDArray[Any]:
        """Work for the processor, done beside the event loop; as much at a time as there are cores.

        In threads of its own: what is late goes on, and must not keep those who only ask the registry.
        Raises Refused (503) where it takes longer than the limit.
        """
        try:
            asked = asyncio.get_running_loop().run_in_executor(self._workers, function, *given)
            return await asyncio.wait_for(asked, self._limits.predict_s)
        except TimeoutError:
            raise Refused(503, f"the prediction took longer than {self._limits.predict_s:g} seconds") from None

    def _together(self, predictor: Predictor, images: NDArray[np.uint8]) -> "asyncio.Future[Floats]":
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

    async def _built(self, model: ModelVersion) -> Predictor:
        key = (model.name, model.version)
        if key not in self._ready:
            async with self._building:
                if key not in self._ready:
                    self._ready[key] = await asyncio.to_thread(Predictor, model)
        self._ready.move_to_end(key)
        while len(self._ready) > self._limits.models:
            gone, _ = self._ready.popitem(last=False)
            self._resolved = {k: v for k, v in self._resolved.items() if (v[1].model.name, v[1].model.version) != gone}
        return self._ready[key]
