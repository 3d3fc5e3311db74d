"""What tests of trainings share: data sets of many small chunks."""

import pytest

from service.data import chunked_groups


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of 200 images of 12x12, whatever the store. An epoch of 47 steps of 256 has two windows of 1 MB."""
    monkeypatch.setattr(chunked_groups, "CHUNK_BYTES", 200 * 144)
    monkeypatch.setattr(chunked_groups, "CHUNKS_PER_SHARD", 4)
    monkeypatch.setattr(chunked_groups, "LABELS", 640)
