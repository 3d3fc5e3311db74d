import numpy as np
import pytest
from safetensors.numpy import load, save

from service.runs.vectors_file import to_safetensors

SIZES = ({"theta": 7, "velocity": 7, "outer": 0}, {"velocity": 1, "theta": 3, "outer": 2, "ema": 3}, {"a": 12})


@pytest.mark.parametrize("sizes", SIZES, ids=lambda sizes: "-".join(sizes))
def test_a_file_has_the_bytes_that_safetensors_writes_and_reads(sizes):
    rng = np.random.default_rng(1)
    vectors = {name: rng.normal(size=size).astype(np.float32) for name, size in sizes.items()}
    content = to_safetensors(vectors)
    assert content == save(vectors)
    found = load(content)
    assert found.keys() == vectors.keys()
    for name, vector in vectors.items():
        np.testing.assert_array_equal(found[name], vector, strict=True)


def test_vectors_with_gaps_are_written_as_their_numbers():
    numbers = np.arange(10, dtype=np.float32)
    assert to_safetensors({"theta": numbers[::3]}) == save({"theta": numbers[::3].copy()})
