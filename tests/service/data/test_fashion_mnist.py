import os
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

from service.data import ingest, read
from service.data.catalog import FASHION_MNIST
from service.home import Home

FOLDER = Path(os.environ.get("ATELIER_TEST_DATA") or FASHION_MNIST.package_folder)


@pytest.mark.skipif(
    not any(FOLDER.glob("train-images*")), reason="needs the real data: ATELIER_TEST_DATA names no folder that has them"
)
def test_the_real_data_come_back_byte_for_byte(home: Home):
    info = ingest(home, source=FOLDER)
    assert (info.train, info.test, info.image_shape, info.classes) == (60000, 10000, (28, 28), 10)
    for group, prefix in (("train", "train"), ("test", "t10k")):
        images, labels = read(info.path, group, info.digest)
        assert np.bincount(labels).tolist() == [len(labels) // 10] * 10
        for name, array in ((f"{prefix}-images-idx3-ubyte", images), (f"{prefix}-labels-idx1-ubyte", labels)):
            header = bytes((0, 0, 8, array.ndim)) + b"".join(size.to_bytes(4, "big") for size in array.shape)
            assert sha256(header + array.tobytes()).hexdigest() == FASHION_MNIST.digests[name]
