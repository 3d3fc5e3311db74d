"""Models ready to answer, kept with their engines built: one cache for the API, the protocol and the gallery."""

import asyncio
from collections import OrderedDict

from service.inference.predictor import Predictor
from service.model_ref import ModelRef
from service.registry import ModelVersion, Registry

FRESH_S = 1.0
"""For how many seconds it is believed which version an alias stands for."""

MAX_RESOLVED = 64
"""How many names are remembered with the version that they stand for."""


class PredictorCache:
    """Predictors by model and version. Belongs to one event loop."""

    def __init__(self, registry: Registry, capacity: int) -> None:
        """capacity: how many predictors are kept."""
        self.registry = registry
        self._capacity = capacity
        self._predictors: OrderedDict[str, Predictor] = OrderedDict()
        self._resolved: dict[ModelRef, tuple[float, Predictor]] = {}
        self._pending: dict[ModelRef, asyncio.Task[Predictor]] = {}
        self._building = asyncio.Lock()

    async def predictor(self, name: str, version: str = "champion") -> Predictor:
        """A version ready to answer, by number or alias. Raises NotFound, DataError or StorageError."""
        ref = ModelRef(name, version)
        known = self._resolved.get(ref)
        if known and asyncio.get_running_loop().time() < known[0]:
            return known[1]
        if ref not in self._pending:
            # One question for all who wait for its answer: the storage may be far away.
            self._pending[ref] = asyncio.create_task(self._resolve(ref))
            self._pending[ref].add_done_callback(lambda _: self._pending.pop(ref))
        return await asyncio.shield(self._pending[ref])

    async def _resolve(self, ref: ModelRef) -> Predictor:
        until = asyncio.get_running_loop().time() + FRESH_S
        predictor = await self._build(await asyncio.to_thread(self.registry.get, ref.name, ref.version))
        if len(self._resolved) > MAX_RESOLVED:
            self._resolved.clear()
        self._resolved[ref] = (until, predictor)
        return predictor

    async def _build(self, model: ModelVersion) -> Predictor:
        if model.label not in self._predictors:
            async with self._building:
                if model.label not in self._predictors:
                    self._predictors[model.label] = await asyncio.to_thread(Predictor, model)
        self._predictors.move_to_end(model.label)
        while len(self._predictors) > self._capacity:
            _, oldest = self._predictors.popitem(last=False)
            self._resolved = {ref: known for ref, known in self._resolved.items() if known[1] is not oldest}
        return self._predictors[model.label]
