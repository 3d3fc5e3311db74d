"""The data sets that are known by name: what they are called, and the digests that say it is them."""

from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.errors import DataError


@dataclass(frozen=True)
class Known:
    """A data set whose content is known.

    digests: SHA-256 of the decompressed IDX files, by the names in `FILES`. urls: where its publisher keeps it.
    package: the Debian package that holds it, and the folder where that puts the files.
    """

    class_names: tuple[str, ...]
    digests: MappingProxyType[str, str]
    urls: tuple[str, ...]
    package: str
    package_folder: str


FILES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
"""The four files of a data set: training images and labels, test images and labels."""

FASHION_MNIST = Known(
    class_names=(
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ),
    digests=MappingProxyType(
        dict(
            zip(
                FILES,
                (
                    "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
                    "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
                    "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
                    "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
                ),
                strict=True,
            )
        )
    ),
    urls=("http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",),
    package="dataset-fashion-mnist",
    package_folder="/usr/share/datasets/fashion-mnist",
)

KNOWN: MappingProxyType[str, Known] = MappingProxyType({"fashion-mnist": FASHION_MNIST})


def check_digest(dataset: str, name: str, path: Path, digest: str) -> None:
    """Raise DataError unless a file with this digest is what a known data set has under this name of `FILES`."""
    expected = KNOWN[dataset].digests[name]
    if digest != expected:
        raise DataError(
            f"{path} is not {dataset}'s {name}: its decompressed SHA-256 is {digest[:12]}…, expected {expected[:12]}…"
        )
