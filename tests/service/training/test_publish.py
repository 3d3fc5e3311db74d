"""What a finished run becomes in the registry."""

import json
from pathlib import Path

import pytest

from service.config import from_preset
from service.data import describe, read
from service.data.preparation import Preparation
from service.data.statistics import ImageStatistics
from service.errors import InvalidInput, StorageError
from service.home import Home
from service.registry import Registry
from service.registry.search import Query, find
from service.training.evaluate import evaluate_run
from service.training.publish import publish_run
from service.training.resume import resume_run
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


def test_a_model_that_cannot_be_written_is_told_with_the_command_that_publishes_it(
    home: Home, tmp_path: Path, executor_of
):
    blobs_store(home, tmp_path / "idx")
    trained = start_run(home, executor_of(1), "late", from_preset(small(name="late")), lambda _: None)
    evaluations = evaluate_run(home, executor_of(1), "late")
    home.models.mkdir(parents=True, exist_ok=True)
    (home.models / "late").write_text("a file is in the way")
    with pytest.raises(StorageError, match=r"; what was trained stands: `atelier runs resume late` publishes it$"):
        publish_run(home, trained, evaluations)
    (home.models / "late").unlink()
    assert publish_run(home, trained, evaluations).version == 1


def test_a_model_records_how_pictures_became_its_training_images(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    trained = start_run(home, executor_of(2), "recorded", from_preset(small(name="recorded")), lambda _: None)
    publish_run(home, trained, evaluate_run(home, executor_of(2), "recorded"))
    model = Registry(home.models).get("recorded")
    data = describe(home.store("blobs"))
    images, _ = read(data.path, "test", data.digest)
    assert Preparation.from_manifest(model.preparation) == Preparation.of_images(images)
    assert ImageStatistics.from_manifest(model.statistics) == ImageStatistics.of_images(images)


def test_resuming_a_finished_run_leaves_the_champion_that_a_person_chose(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    registry, executor = Registry(home.models), executor_of(2)
    published = []
    for run, rate in (("slow", 1e-4), ("quick", 0.2)):
        config = from_preset(small(name="mine", optimizer={"lr": rate}))
        trained = start_run(home, executor, run, config, lambda _: None)
        published.append(publish_run(home, trained, evaluate_run(home, executor, run)))
    assert [each.champion for each in published] == [None, None], "each was better than those before"
    for path in (home.models / "mine").glob("aliases.json"):  # as a person set it with a version from before
        path.write_text('{"champion":1}\n')
    resumed = publish_run(
        home, resume_run(home, executor, "quick", lambda _: None), evaluate_run(home, executor, "quick")
    )
    assert (resumed.version, resumed.champion) == (2, 1)
    registry.set_alias("mine", "champion", 1)
    resumed = publish_run(
        home, resume_run(home, executor, "quick", lambda _: None), evaluate_run(home, executor, "quick")
    )
    assert (resumed.version, resumed.champion, resumed.champion_why) == (2, 1, "a person chose it")


def test_a_model_says_its_data_set_in_its_name_unless_the_run_is_from_before(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    executor = executor_of(2)
    trained = start_run(home, executor, "now", from_preset(small()), lambda _: None)
    assert publish_run(home, trained, evaluate_run(home, executor, "now")).model == "mlp-blobs"
    path = home.runs / "now" / "config.json"
    facts = json.loads(path.read_text())
    del facts["config"]["holdout_by"]  # it came with the names
    path.write_text(json.dumps(facts))
    assert publish_run(home, trained, evaluate_run(home, executor, "now")).model == "mlp"


@pytest.mark.parametrize("tags", ["A", "a b", "a,", ",a", "ä"])
def test_tags_are_words_with_commas_between_them(tags: str):
    with pytest.raises(InvalidInput, match=r"^tags must match"):
        from_preset({"tags": tags})
