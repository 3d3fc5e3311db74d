import asyncio
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import httpx
import numpy as np
import pytest

from service.http.batching import Batcher


def test_requests_at_the_same_time_get_their_own_answers(http: httpx.Client) -> None:
    images = np.random.default_rng(11).integers(0, 256, (24, 28, 28), dtype=np.uint8)

    def ask(image: np.ndarray) -> dict[str, float]:
        body = {"pixels": image.tolist()}
        answer = httpx.post(f"{http.base_url}/api/models/lenet/predict?top=10", json=body, timeout=http.timeout).json()
        return {guess["label"]: guess["probability"] for guess in answer["predictions"][0]}

    alone = [ask(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, images))
    for one, other in zip(alone, together, strict=True):
        # An example's lane may differ, its arithmetic doesn't; other engines round a sum in another order.
        assert one == pytest.approx(other, rel=1e-4)


def test_who_asks_first_is_answered_at_once_and_all_others_of_that_turn_together() -> None:
    sizes = []

    def logits(images: np.ndarray) -> np.ndarray:
        sizes.append(len(images))
        return images.reshape(len(images), -1).astype(np.float32)

    predictor = SimpleNamespace(flops=1.0, logits=logits)

    async def ask_together(batcher: Batcher, count: int) -> list[np.ndarray]:
        images = np.arange(4 * count, dtype=np.uint8).reshape(count, 1, 2, 2)
        return await asyncio.gather(*(batcher.logits(predictor, image) for image in images))

    async def two_turns() -> None:
        batcher = Batcher(5)
        await ask_together(batcher, 1)
        answers = await ask_together(batcher, 5)
        np.testing.assert_array_equal(np.concatenate(answers).ravel(), np.arange(20))

    asyncio.run(two_turns())
    assert sizes == [1, 1, 4]


def test_images_with_and_without_the_axis_of_channels_are_answered_together() -> None:
    """Pixels as JSON come without it, tensors with it; both may wait for the same model."""
    predictor = SimpleNamespace(flops=1.0, logits=lambda images: images.reshape(len(images), -1).astype(np.float32))
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)

    async def both() -> list[np.ndarray]:
        batcher = Batcher(5)
        requests = [batcher.logits(predictor, given) for given in (images, images, images[:, None])]
        return await asyncio.gather(*requests)

    _, first, second = asyncio.run(both())
    np.testing.assert_array_equal(first, second)
