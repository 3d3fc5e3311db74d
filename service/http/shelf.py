"""Models ready to answer: the few that were asked last are kept with their engines built."""

import asyncio
from collections import OrderedDict

import numpy as np
from numpy.typing import NDArray

from ops.engine import Floats
from service.http.limits import Limits
from service.http.problems import Refused
from service.predict import Predictor
from service.registry import ModelVersion, Registry

QUICK = 2e8
"""Floating-point operations that are done at once instead of in a thread: about two milliseconds."""

FRESH_S = 1.0
"""For how many seconds it is believed which version an alias stands for."""


class Shelf:
    """Predictors by name and version. Belongs to one event loop."""

    def __init__(self, registry: Registry, limits: Limits) -> None:
        self.registry = registry
        self._limits = limits
        self._ready: OrderedDict[tuple[str, int], Predictor] = OrderedDict()
        self._resolved: dict[tuple[str, str], tuple[float, Predictor]] = {}
        self._building = asyncio.Lock()

    async def predictor(self, name: str, version: str = "champion") -> Predictor:
        """A version ready to answer, by number or alias. Raises NotFound or DataError."""
        clock = asyncio.get_running_loop().time()
        known = self._resolved.get((name, version))
        if known and clock < known[0]:
            return known[1]
        model = self.registry.get(name, version)
        predictor = await self._built(model)
        if len(self._resolved) > 64:
            self._resolved.clear()
        self._resolved[name, version] = (clock + FRESH_S, predictor)
        return predictor

    async def logits(self, predictor: Predictor, images: NDArray[np.uint8]) -> Floats:
        """Logits of images, computed at once if that is quick and else beside the event loop.

        Raises Refused (503) where it takes longer than the limit.
        """
        if predictor.flops * len(images) <= QUICK:
            return predictor.logits(images)
        work = asyncio.to_thread(predictor.logits, images)
        try:
            return await asyncio.wait_for(work, self._limits.predict_s)
        except TimeoutError:
            raise Refused(503, f"the prediction took longer than {self._limits.predict_s:g} seconds") from None

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
