"""The same few examples in every format, each written by the program that people write it with."""

import gzip
import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from tests.data import idx_bytes

Arrays = tuple[NDArray[np.uint8], NDArray[np.uint8]]
NAMES = ("ant", "bee", "cat")


def examples(count: int, *, colour: bool = False, side: int = 8, seed: int = 0) -> Arrays:
    """Random images (count, side, side), or (count, 3, side, side), and labels of three classes in turn."""
    rng = np.random.default_rng(seed)
    shape = (count, 3, side, side) if colour else (count, side, side)
    return rng.integers(0, 256, shape).astype(np.uint8), np.arange(count, dtype=np.uint8) % 3


def picture(image: NDArray[np.uint8]) -> Image.Image:
    """An image (h, w) or (3, h, w) as Pillow's."""
    return Image.fromarray(image if image.ndim == 2 else np.ascontiguousarray(image.transpose(1, 2, 0)))


def png(image: NDArray[np.uint8]) -> bytes:
    """An image as a PNG."""
    stream = io.BytesIO()
    picture(image).save(stream, "PNG")
    return stream.getvalue()


def write_folder(folder: Path, arrays: Arrays, names: tuple[str, ...] = NAMES) -> None:
    """A folder for each class, as `torchvision.datasets.ImageFolder` wants it."""
    for number, (image, label) in enumerate(zip(*arrays, strict=True)):
        path = folder / names[label] / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        picture(image).save(path)


def write_tar(target: Path, folder: Path, mode: str) -> None:
    """A tar of what a folder holds."""
    with tarfile.open(target, mode) as tar:
        for entry in sorted(folder.iterdir()):
            tar.add(entry, entry.name)


def write_zip(target: Path, folder: Path) -> None:
    """A zip of what a folder holds."""
    with zipfile.ZipFile(target, "w") as archive:
        for entry in sorted(folder.rglob("*")):
            archive.write(entry, entry.relative_to(folder))


def write_csv(path: Path, arrays: Arrays, *, header: bool, delimiter: str = ",") -> None:
    """Labels and pixels, as Kaggle has MNIST; written by NumPy."""
    images, labels = arrays
    columns = ["label", *(f"pixel{number}" for number in range(images[0].size))]
    table = np.column_stack((labels, images.reshape(len(images), -1)))
    np.savetxt(path, table, "%d", delimiter, header=delimiter.join(columns) if header else "", comments="")


def write_parquet(path: Path, arrays: Arrays, *, names: bool = True) -> None:
    """A table as `datasets` writes it: a struct of bytes and path, and the names of the labels in its metadata."""
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    images, labels = arrays
    rows = [{"bytes": png(image), "path": f"{number}.png"} for number, image in enumerate(images)]
    table = pa.table({"image": rows, "label": pa.array(labels.astype(np.int64))})
    features = {"image": {"_type": "Image"}, "label": {"names": list(NAMES), "_type": "ClassLabel"}}
    about = {"huggingface": json.dumps({"info": {"features": features}})} if names else {}
    pq.write_table(table.replace_schema_metadata(about), path, row_group_size=7)


def write_cifar10(folder: Path, train: Arrays, test: Arrays) -> None:
    """Records of a label and three planes, in five batches and one."""
    folder.mkdir(parents=True)

    def batch(images: NDArray[np.uint8], labels: NDArray[np.uint8]) -> bytes:
        return np.column_stack((labels, images.reshape(len(images), -1))).astype(np.uint8).tobytes()

    parts = np.array_split(np.arange(len(train[1])), 5)
    for number, part in enumerate(parts, 1):
        (folder / f"data_batch_{number}.bin").write_bytes(batch(train[0][part], train[1][part]))
    (folder / "test_batch.bin").write_bytes(batch(*test))
    (folder / "batches.meta.txt").write_text("\n".join(NAMES) + "\n\n")


def write_emnist(folder: Path, name: str, train: Arrays, test: Arrays) -> None:
    """EMNIST's names, labels from 1, and transposed images."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, (images, labels) in (("train", train), ("test", test)):
        for kind, array in (("images-idx3", images.transpose(0, 2, 1)), ("labels-idx1", labels + 1)):
            content = idx_bytes(np.ascontiguousarray(array.astype(np.uint8)))
            (folder / f"{name}-{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(content))
