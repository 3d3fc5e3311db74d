"""Writes as many pictures as are wanted, as a folder of IDX files: those of Fashion-MNIST, moved, turned and noisy.

    python -m tests.benchmarks.large_pictures SOURCE TARGET GIGABYTES [sorted]

SOURCE is a folder with the four IDX files. The test pictures are copied as they are. With `sorted`, the pictures are
written class by class.
"""

import shutil
import sys
from pathlib import Path

import numpy as np

from service.data.formats.idx import read_images, read_labels
from service.data.formats.idx_folder import find_files
from tests.data import idx_bytes

BLOCK = 60_000


def main(source: Path, target: Path, gigabytes: float, *, by_class: bool) -> None:
    """Write the folder."""
    files = find_files(source)
    images = read_images(files["train-images-idx3-ubyte"]).array
    labels = read_labels(files["train-labels-idx1-ubyte"]).array
    if by_class:
        order = np.argsort(labels, kind="stable")
        images, labels = images[order], labels[order]
    target.mkdir(parents=True)
    for name in ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"):
        shutil.copyfile(files[name], target / f"{name}{files[name].suffix if files[name].suffix == '.gz' else ''}")
    count = int(gigabytes * 1e9) // images[0].size
    empty = np.empty((0, *images.shape[1:]), np.uint8)
    header = bytearray(idx_bytes(empty))
    header[4:8] = count.to_bytes(4, "big")
    repeats = -(-count // len(images))
    with (target / "train-images-idx3-ubyte").open("wb") as file:
        file.write(header)
        for first in range(0, count, BLOCK):
            numbers = np.arange(first, min(first + BLOCK, count))
            file.write(_varied(images, numbers // repeats if by_class else numbers % len(images), first).tobytes())
    numbers = np.arange(count)
    chosen = labels[numbers // repeats if by_class else numbers % len(labels)]
    (target / "train-labels-idx1-ubyte").write_bytes(idx_bytes(chosen))


def _varied(images: np.ndarray, numbers: np.ndarray, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    varied = np.roll(images[numbers], random.integers(-2, 3, 2), (1, 2))
    if random.random() < 0.5:
        varied = varied[:, :, ::-1]
    bright = np.flatnonzero(random.random(len(varied)) < 0.5)
    varied[bright] = varied[bright] // 4 * 3
    varied[:, :, 14] ^= random.integers(0, 16, (len(varied), images.shape[1]), np.uint8)
    return np.ascontiguousarray(varied)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), by_class="sorted" in sys.argv[4:])
