import asyncio
import threading
from pathlib import Path

import pytest

from service.http import predictor_cache
from service.http.predictor_cache import PredictorCache
from service.registry import ModelVersion, Registry
from tests.service.models import draft, publish


class _Counting(Registry):
    """A registry that is slow to answer, and counts how often it is asked and from where."""

    def __init__(self, place: Path) -> None:
        super().__init__(place)
        self.threads: list[int] = []

    def get(self, name: str, version: str = "champion") -> ModelVersion:
        self.threads.append(threading.get_ident())
        return super().get(name, version)


def test_one_question_to_the_storage_answers_all_who_ask_and_never_holds_up_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_cache, "FRESH_S", 600)  # however slow this machine is
    publish(tmp_path, "flat", draft("mlp"))
    registry = _Counting(tmp_path)
    predictors = PredictorCache(registry, capacity=8)

    async def ask() -> int:
        at_once = await asyncio.gather(*(predictors.predictor("flat") for _ in range(10)))
        later = [await predictors.predictor("flat") for _ in range(10)]
        assert len({id(predictor) for predictor in [*at_once, *later]}) == 1
        return threading.get_ident()

    loop = asyncio.run(ask())
    assert len(registry.threads) == 1
    assert loop not in registry.threads
