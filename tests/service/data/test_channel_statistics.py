"""Means and deviations of channels: as NumPy has them, recorded with the data, and counted in stores of before."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.data import DatasetInfo, describe, ingest, missing_statistics, store
from service.data.channel_statistics import ChannelStatistics
from service.errors import DataError
from service.home import Home
from tests.data import write_idx_dataset

RNG = np.random.default_rng(0)
GREY = RNG.integers(0, 256, (50, 9, 7), dtype=np.uint8)
COLOUR = RNG.integers(0, 256, (40, 3, 5, 6), dtype=np.uint8) // np.uint8([[[1]], [[2]], [[3]]])


@pytest.mark.parametrize("images", [GREY, COLOUR], ids=["grey", "colour"])
def test_they_are_those_of_numpy_in_any_parts(images: np.ndarray) -> None:
    planes = images.reshape(len(images), -1, *images.shape[-2:]) / 255
    whole = ChannelStatistics.of_parts([images])
    np.testing.assert_allclose(whole.means, planes.mean(axis=(0, 2, 3)), rtol=1e-13)
    np.testing.assert_allclose(whole.deviations, planes.std(axis=(0, 2, 3)), rtol=1e-13)
    assert ChannelStatistics.of_parts([images[:7], images[7:8], images[8:]]) == whole


def test_images_all_alike_do_not_deviate() -> None:
    assert ChannelStatistics.of_parts([np.full((3, 4, 4), 51, np.uint8)]) == ChannelStatistics((0.2,), (0.0,))


@pytest.fixture
def info(home: Home, tmp_path: Path) -> DatasetInfo:
    write_idx_dataset(tmp_path / "idx", train=60, test=20)
    return ingest(home, dataset="blobs", source=tmp_path / "idx")


def edit(info: DatasetInfo, change: Any) -> None:
    """Change the attributes of a store in place."""
    metadata = json.loads((info.path / "zarr.json").read_text())
    change(metadata["attributes"])
    (info.path / "zarr.json").write_text(json.dumps(metadata))


def test_they_are_recorded_of_the_training_images(info: DatasetInfo) -> None:
    images, _ = store.read(info.path, "train", info.digest)
    assert info.statistics == ChannelStatistics.of_parts([images])
    assert info.statistics != ChannelStatistics.of_parts([store.read(info.path, "test", info.digest)[0]])


@pytest.mark.parametrize("again", [True, False])
def test_a_store_of_before_is_counted_when_it_is_ingested_again(
    home: Home, info: DatasetInfo, tmp_path: Path, again: bool
) -> None:
    edit(info, lambda attributes: attributes.pop("channels"))
    before = describe(info.path)
    assert before == replace(info, statistics=ChannelStatistics())
    assert ingest(home, dataset="blobs", source=tmp_path / "idx" if again else None) == info == describe(info.path)
    assert store.verify(info.path) == info


def test_a_store_of_before_that_can_not_be_written_stays_as_it_is(
    home: Home, info: DatasetInfo, monkeypatch: pytest.MonkeyPatch
) -> None:
    edit(info, lambda attributes: attributes.pop("channels"))

    def refuse(*_: Any) -> None:
        raise PermissionError("no")

    monkeypatch.setattr(missing_statistics, "replace_file", refuse)
    assert ingest(home, dataset="blobs") == replace(info, statistics=ChannelStatistics())


@pytest.mark.parametrize(
    ("means", "deviations"), [([0.5], []), ([0.5, 0.5], [1, 1]), ([float("nan")], [1]), (["a"], [1]), (None, [1])]
)
def test_statistics_that_can_not_be_are_damage(info: DatasetInfo, means: Any, deviations: Any) -> None:
    edit(info, lambda attributes: attributes.update(channels={"means": means, "deviations": deviations}))
    with pytest.raises(DataError, match=r"the metadata of .* are damaged"):
        describe(info.path)
