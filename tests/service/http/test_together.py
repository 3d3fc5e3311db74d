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
        answer = httpx.post(f"{http.base_url}/api/models/lenet/predict?top=10", json=body).json()
        return {guess["label"]: guess["probability"] for guess in answer["predictions"][0]}

    alone = [ask(image) for image in images]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(ask, images))
    for one, other in zip(alone, together, strict=True):
        # An example's lane may differ, its arithmetic doesn't; other engines round a sum in another order.
        assert one == pytest.approx(other, rel=1e-4)


def test_images_with_and_without_the_axis_of_channels_are_answered_together() -> None:
    """Pixels as JSON come without it, tensors with it; both may wait for the same model."""
    predictor = SimpleNamespace(flops=1.0, logits=lambda images: images.reshape(len(images), -1).astype(np.float32))
    images = np.arange(8, dtype=np.uint8).reshape(2, 2, 2)

    async def both() -> list[np.ndarray]:
        batcher = Batcher(5)
        return await asyncio.gather(batcher.logits(predictor, images), batcher.logits(predictor, images[:, None]))

    first, second = asyncio.run(both())
    np.testing.assert_array_equal(first, second)
