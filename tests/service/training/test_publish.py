"""What a finished run becomes in the registry."""

from pathlib import Path

import pytest

from service.config import from_preset
from service.data import describe, read
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.errors import InvalidInput
from service.home import Home
from service.registry import Registry
from service.registry.search import Query, find
from service.training.evaluate import evaluate_run
from service.training.publish import publish_run
from service.training.start import start_run
from tests.jobs import blobs_store, small


def test_a_model_is_found_by_the_tags_that_its_training_was_given(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    for name, tags in (("first", "tried,on-cpu"), ("second", "")):
        config = from_preset(small(name=name, tags=tags))
        trained = start_run(home, executor_of(2), name, config, lambda _: None)
        publish_run(home, trained, evaluate_run(home, executor_of(2), name))
    registry = Registry(home.models)
    assert [model.name for model in find(registry, Query(tag="on-cpu")).items] == ["first"]
    assert registry.get("first").tags == ("tried", "on-cpu")
    assert registry.get("second").tags == ()


def test_a_model_records_how_pictures_became_its_training_images(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    trained = start_run(home, executor_of(2), "recorded", from_preset(small(name="recorded")), lambda _: None)
    publish_run(home, trained, evaluate_run(home, executor_of(2), "recorded"))
    model = Registry(home.models).get("recorded")
    data = describe(home.store("blobs"))
    images, _ = read(data.path, "test", data.digest)
    assert Preparation.from_manifest(model.preparation) == Preparation.of_images(images)
    assert ImageStatistics.from_manifest(model.statistics) == ImageStatistics.of_images(images)


@pytest.mark.parametrize("tags", ["A", "a b", "a,", ",a", "ä"])
def test_tags_are_words_with_commas_between_them(tags: str):
    with pytest.raises(InvalidInput, match=r"^tags must match"):
        from_preset({"tags": tags})
