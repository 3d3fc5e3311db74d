import gzip
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.data.formats.idx import read_images, read_labels
from service.errors import DataError
from tests.data import idx_bytes


@given(shape=st.tuples(st.integers(0, 5), st.integers(1, 9), st.integers(1, 9)), packed=st.booleans())
def test_images_come_back_as_they_were_written(tmp_path_factory, shape, packed):
    images = np.random.default_rng(sum(shape)).integers(0, 256, shape).astype(np.uint8)
    path = tmp_path_factory.mktemp("idx") / "images"
    content = idx_bytes(images)
    path.write_bytes(gzip.compress(content) if packed else content)
    np.testing.assert_array_equal(read_images(path).array, images)


IMAGES = np.random.default_rng(1).integers(0, 256, (7, 4, 5)).astype(np.uint8)
LABELS = np.random.default_rng(2).integers(0, 10, 70).astype(np.uint8)


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"", "too short"),
        (idx_bytes(IMAGES)[:9], "too short"),
        (idx_bytes(IMAGES)[:-1], "wrong length"),
        (idx_bytes(IMAGES) + b"x", "wrong length"),
        (idx_bytes(LABELS), "not an IDX file of images: it begins with 00000801"),
        (b"PK\x03\x04" + bytes(40), "not an IDX file of images"),
        (gzip.compress(idx_bytes(IMAGES))[:-9], "damaged"),
        (b"\x1f\x8b" + bytes(30), "damaged"),
        (bytes((0, 0, 8, 3)) + b"\xff" * 12, "wrong length"),
    ],
    ids=["empty", "header", "truncated", "trailing", "swapped", "magic", "cut gzip", "bad gzip", "huge"],
)
def test_a_bad_file_is_named_with_what_is_wrong(tmp_path: Path, content, wrong):
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=wrong) as caught:
        read_images(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_more_is_unpacked_than_the_header_says(tmp_path: Path):
    path = tmp_path / "bomb.gz"
    path.write_bytes(gzip.compress(idx_bytes(IMAGES) + bytes(50_000_000)))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="the file goes on"):
            read_images(path)
        assert tracemalloc.get_traced_memory()[1] < 5_000_000  # buffers of the decompressor, not the 50 MB
    finally:
        tracemalloc.stop()


def test_a_missing_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match=r"labels\.gz is missing"):
        read_labels(tmp_path / "labels.gz")
