"""Which version is a model's champion: the best on one data set, unless a person chose another."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from service.errors import InvalidInput, NotFound
from service.registry import Draft, ModelVersion, Registry
from tests.service.models import draft, with_accuracy

MADE = draft("mlp")


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def trained(registry: Registry, accuracy: float, data: str = "f" * 64, dataset: str = "fashion-mnist") -> ModelVersion:
    """A version that a training published, and after which the champion was looked at."""
    lineage = {**MADE.lineage, "data": data}
    made = with_accuracy(replace(MADE, dataset=dataset, lineage=lineage), accuracy)
    model = registry.publish("a", made)
    assert registry.update_champion(model) == registry.get("a")
    return model


def champion(registry: Registry) -> int:
    return registry.get("a").version


def test_the_champion_follows_the_best_of_its_data_set(registry: Registry):
    trained(registry, 0.5)
    trained(registry, 0.8)
    assert champion(registry) == 2
    trained(registry, 0.7)
    assert champion(registry) == 2


def test_a_version_on_an_easier_data_set_does_not_take_the_champion_over(registry: Registry):
    trained(registry, 0.8)
    trained(registry, 0.99, data="e" * 64, dataset="digits")
    assert champion(registry) == 1
    trained(registry, 0.99, data="e" * 64)  # another data set of the same name is another one
    assert champion(registry) == 1
    trained(registry, 0.85)
    assert champion(registry) == 4


def test_a_champion_that_a_person_set_stays_until_it_is_promoted(registry: Registry, tmp_path: Path):
    trained(registry, 0.5)
    trained(registry, 0.8)
    registry.set_alias("a", "champion", 1)
    assert registry.champion_is_chosen("a")
    trained(registry, 0.9)
    assert champion(registry) == 1
    assert json.loads((tmp_path / "a" / "aliases.json").read_text()) == {"champion": {"chosen": True, "version": 1}}
    registry.set_alias("a", "staging", 2)
    assert registry.champion_is_chosen("a"), "another alias doesn't change that"
    assert registry.promote("a", "champion", "test_accuracy").version == 3
    assert not registry.champion_is_chosen("a")
    trained(registry, 0.95)
    assert champion(registry) == 4


def test_a_champion_promoted_by_another_metric_stays(registry: Registry):
    trained(registry, 0.5)
    trained(registry, 0.8)
    assert registry.promote("a", "champion", "test_loss").version == 1, "the losses are equal"
    trained(registry, 0.9)
    assert champion(registry) == 1


def test_an_alias_can_be_removed_and_a_training_makes_a_champion_again(registry: Registry):
    trained(registry, 0.5)
    trained(registry, 0.8)
    registry.set_alias("a", "staging", 1)
    registry.set_alias("a", "champion", 1)
    with pytest.raises(NotFound, match=r"model 'a' has no alias 'best' \(aliases: champion, staging\)$"):
        registry.remove_alias("a", "best")
    registry.remove_alias("a", "champion")
    assert registry.aliases("a") == {"staging": 1}
    with pytest.raises(NotFound, match="no version 'champion'"):
        registry.get("a")
    with pytest.raises(NotFound, match=r"model 'a' has no alias 'champion' \(aliases: staging\)"):
        registry.remove_alias("a", "champion")
    registry.remove_alias("a", "staging")
    with pytest.raises(NotFound, match=r"\(aliases: none\)"):
        registry.remove_alias("a", "staging")
    registry.delete("a", 1)  # no alias stands for it any more
    trained(registry, 0.6)
    assert champion(registry) == 2


def test_the_aliases_of_a_registry_from_before_are_read_and_kept(registry: Registry, tmp_path: Path):
    trained(registry, 0.5)
    trained(registry, 0.8)
    path = tmp_path / "a" / "aliases.json"
    path.write_text('{"champion":1,"staging":2}\n')
    assert registry.aliases("a") == {"champion": 1, "staging": 2}
    assert not registry.champion_is_chosen("a")
    registry.set_alias("a", "best", 2)
    assert path.read_text() == '{"best":2,"champion":1,"staging":2}\n'


def test_promoting_compares_versions_on_one_data_set(registry: Registry):
    trained(registry, 0.7)
    trained(registry, 0.8)
    trained(registry, 0.99, data="e" * 64, dataset="digits")
    trained(registry, 0.98, data="e" * 64, dataset="digits")
    assert registry.promote("a", "champion", "test_accuracy").version == 2, "the data set of the champion"
    assert registry.promote("a", "best", "test_accuracy").version == 3, "that of the newest, for a new alias"
    assert registry.promote("a", "best", "test_accuracy", "fashion-mnist").version == 2
    with pytest.raises(NotFound, match=r"no version of 'a' was trained on 'x' \(there: digits, fashion-mnist\)"):
        registry.promote("a", "best", "test_accuracy", "x")


def test_a_metric_is_asked_only_of_the_versions_that_are_compared(registry: Registry):
    trained(registry, 0.7)
    held = {"examples": 5, "loss": 0.1, "accuracy": 0.9}
    registry.publish("a", Draft(**{**vars(MADE), "metrics": {**MADE.metrics, "validation": held},
                                   "lineage": {"data": "e" * 64}, "dataset": "digits"}))  # fmt: skip
    assert registry.promote("a", "best", "validation_loss", "digits").version == 2
    with pytest.raises(InvalidInput, match="got 'validation_loss'"):
        registry.promote("a", "best", "validation_loss", "fashion-mnist")
