"""The rules of a registry one by one, in a folder; `test_registry.py` has what must hold in object storage too."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from service.errors import Conflict, InvalidInput, NotFound
from service.model_ref import ModelRef
from service.registry import Draft, Registry
from service.registry import registry as registries
from service.storage import LocalStorage
from tests.service.models import draft, with_accuracy

MADE = draft("mlp")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts without pictures, which take the time."""
    monkeypatch.setattr(Draft, "files", lambda self: {"config.json": b"{}\n"})


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(tmp_path)


def publish(registry: Registry, name: str = "a", times: int = 1, made: Draft = MADE) -> None:
    for _ in range(times):
        registry.publish(name, made)


def said(error: type[Exception], call: Callable[[], Any]) -> str:
    with pytest.raises(error) as caught:
        call()
    return str(caught.value)


def with_loss(loss: float) -> Draft:
    return draft("mlp", metrics={**MADE.metrics, "test": {**MADE.metrics["test"], "loss": loss}})


def test_the_first_version_becomes_champion_and_later_ones_do_not(registry: Registry) -> None:
    publish(registry, times=3)
    assert registry.aliases("a") == {"champion": 1}
    assert registry.get("a").version == registry.find(ModelRef("a")).version == 1
    assert registry.find(ModelRef("a", "3")).version == 3
    assert registry.aliases("b") == {}


def test_a_model_without_a_champion_gets_its_oldest_version(registry: Registry, tmp_path: Path) -> None:
    publish(registry, times=2)
    (tmp_path / "a" / "aliases.json").unlink()
    publish(registry)
    assert registry.aliases("a") == {"champion": 1}


def test_models_and_versions_are_listed_in_order(registry: Registry, tmp_path: Path) -> None:
    publish(registry, "b")
    publish(registry, "a", times=11)
    (tmp_path / "a" / "notes").mkdir()
    (tmp_path / "a" / "notes" / "manifest.json").write_text("{}")
    assert registry.names() == ["a", "b"]
    assert registry.versions("a") == list(range(1, 12))
    assert registry.versions("c") == []
    labels = [model.label for model in registry.everything()]
    assert labels == [*(f"a:{number}" for number in range(1, 12)), "b:1"]


def test_versions_are_read_once_for_as_long_as_they_are_there(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, times=2)
    first = registry.everything()
    read: list[str] = []
    whole = LocalStorage.read
    monkeypatch.setattr(LocalStorage, "read", lambda self, key: read.append(key) or whole(self, key))
    again = registry.everything()
    assert read == []
    assert all(one is other for one, other in zip(first, again, strict=True))
    registry.delete("a", 2)
    assert [model.label for model in registry.everything()] == ["a:1"]


def test_a_version_that_goes_while_all_are_listed_is_left_out(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, times=2, made=draft("mlp", lineage={"run": "r"}))
    monkeypatch.setattr(LocalStorage, "published", lambda self, parent="": ["a/1", "a/2", "a/3"])
    assert [model.label for model in registry.everything()] == ["a:1", "a:2"]
    best = registry.of_run("a", "r")
    assert best is not None
    assert best.version == 2


def test_the_newest_version_of_a_run_is_found(registry: Registry) -> None:
    for run in ("first", "second", "second", None):
        publish(registry, made=draft("mlp", lineage={"run": run} if run else {}))
    found = [registry.of_run("a", run) for run in ("first", "second", "third")]
    assert [model and model.version for model in found] == [1, 3, None]


def test_what_is_not_there_is_told_with_what_is(registry: Registry) -> None:
    assert said(NotFound, lambda: registry.get("a")) == "there is no version 'champion' of model 'a' (versions: none)"
    publish(registry, times=2)
    assert said(NotFound, lambda: registry.get("a", "7")) == "there is no version '7' of model 'a' (versions: 1, 2)"
    assert said(NotFound, lambda: registry.promote("b", "x", "test_loss")) == "there is no model 'b'"
    assert said(NotFound, lambda: registry.restore("a", 2)) == "a has no deleted version 2"


@pytest.mark.parametrize("name", ["A", "", "a/b", ".a", "a.", "a\n", "x" * 65])
def test_a_name_that_cannot_be_is_refused_wherever_it_is_given(registry: Registry, name: str) -> None:
    pattern = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
    message = f"a model's name must match {pattern}, got {name!r}"
    for call in (
        lambda: registry.publish(name, MADE),
        lambda: registry.get(name, "1"),
        lambda: registry.versions(name),
        lambda: registry.aliases(name),
        lambda: registry.restore(name, 1),
    ):
        assert said(InvalidInput, call) == message


@pytest.mark.parametrize("name", ["a", "0", "a.b_c-d", "x" * 64])
def test_a_name_of_small_letters_digits_and_some_signs_is_taken(registry: Registry, name: str) -> None:
    publish(registry, name)
    registry.set_alias(name, "best.so-far", 1)
    assert registry.names() == [name]


def test_an_alias_is_set_beside_others_and_moves(registry: Registry) -> None:
    publish(registry, times=2)
    registry.set_alias("a", "staging", 2)
    assert registry.aliases("a") == {"champion": 1, "staging": 2}
    registry.set_alias("a", "champion", 2)
    assert registry.aliases("a") == {"champion": 2, "staging": 2}
    assert registry.aliases_of(registry.everything()) == {"a:1": [], "a:2": ["champion", "staging"]}


@pytest.mark.parametrize("alias", ["7", "X", ""])
def test_an_alias_that_cannot_be_is_refused(registry: Registry, alias: str) -> None:
    publish(registry)
    pattern = "^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
    message = f"an alias must match {pattern} and not be a number, got {alias!r}"
    assert said(InvalidInput, lambda: registry.set_alias("a", alias, 1)) == message


def test_aliases_of_several_models_are_kept_apart(registry: Registry) -> None:
    publish(registry, "a", times=2)
    publish(registry, "b")
    registry.set_alias("b", "staging", 1)
    assert registry.aliases_of(registry.everything()) == {
        "a:1": ["champion"],
        "a:2": [],
        "b:1": ["champion", "staging"],
    }


@pytest.mark.parametrize("before", [None, 1])
def test_an_alias_set_while_its_version_is_deleted_goes_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, before: int | None
) -> None:
    publish(registry, times=2)
    if before:
        registry.set_alias("a", "staging", before)
    whole = LocalStorage.write

    def delete_meanwhile(self: LocalStorage, key: str, content: bytes, replaces: str | None) -> None:
        whole(self, key, content, replaces)
        monkeypatch.setattr(LocalStorage, "write", whole)
        self.soft_delete("a/2")

    monkeypatch.setattr(LocalStorage, "write", delete_meanwhile)
    assert "no version '2'" in said(NotFound, lambda: registry.set_alias("a", "staging", 2))
    assert registry.aliases("a") == {"champion": 1, **({"staging": before} if before else {})}


def test_the_best_by_a_metric_is_promoted(registry: Registry) -> None:
    for accuracy in (0.5, 0.9, 0.9, 0.7):
        publish(registry, made=with_accuracy(MADE, accuracy))
    assert registry.promote("a", "best", "test_accuracy").version == 2, "of equals the oldest"
    assert registry.aliases("a") == {"champion": 1, "best": 2}
    for loss in (0.3, 0.2, 0.2, 0.4):
        publish(registry, "b", made=with_loss(loss))
    assert registry.promote("b", "champion", "test_loss").version == 2, "a loss is best where it is lowest"
    assert registry.get("b").version == 2


def test_a_metric_that_not_every_version_has_is_refused(registry: Registry) -> None:
    publish(registry)
    held = {"examples": 5, "loss": 0.1, "accuracy": 0.9}
    publish(registry, made=draft("mlp", metrics={**MADE.metrics, "validation": held}))
    message = said(InvalidInput, lambda: registry.promote("a", "best", "validation_loss"))
    known = "test_accuracy, test_loss, train_accuracy, train_loss"
    assert sorted(message.split(" of ")[1].split(", got")[0].split(", ")) == known.split(", ")
    assert message.startswith("metric must be one of ")
    assert message.endswith(", got 'validation_loss'")


def test_a_version_that_an_alias_stands_for_is_not_deleted(registry: Registry) -> None:
    publish(registry)
    registry.set_alias("a", "staging", 1)
    assert said(Conflict, lambda: registry.delete("a", 1)) == ("a:1 can't be deleted: champion, staging stands for it")
    assert registry.versions("a") == [1]


def test_a_version_deleted_while_an_alias_is_set_comes_back(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, times=2)
    whole = LocalStorage.soft_delete

    def point_meanwhile(self: LocalStorage, folder: str) -> None:
        monkeypatch.setattr(LocalStorage, "soft_delete", whole)
        registry.set_alias("a", "staging", 2)
        whole(self, folder)

    monkeypatch.setattr(LocalStorage, "soft_delete", point_meanwhile)
    assert "staging stands for it" in said(Conflict, lambda: registry.delete("a", 2))
    assert registry.versions("a") == [1, 2]


def test_a_deleted_version_keeps_a_week(registry: Registry, tmp_path: Path) -> None:
    publish(registry, times=3)
    registry.delete("a", 2)
    registry.delete("a", 3)
    assert registry.versions("a") == [1]
    assert registry.purge() == []
    hidden = [path for path in (tmp_path / "a").rglob("*") if path.is_dir() and "3" in path.name]
    for path in [*hidden, *(file for folder in hidden for file in folder.iterdir())]:
        seconds = path.stat().st_mtime - 7 * 86400
        os.utime(path, (seconds - 5, seconds - 5))
    assert registry.purge() == ["a:3"]
    assert registry.restore("a", 2).label == "a:2"
    publish(registry)
    assert registry.versions("a") == [1, 2, 4], "a number is never given again"


def test_a_publisher_that_is_always_second_gives_up(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    tried: list[str] = []

    def taken(self: LocalStorage, folder: str, files: Any) -> None:
        tried.append(folder)
        raise Conflict("exists already")

    monkeypatch.setattr(LocalStorage, "publish", taken)
    assert said(Conflict, lambda: registry.publish("a", MADE)) == (
        "a can't be published: other publishers take every number first"
    )
    assert tried == ["a/1"] * registries.ATTEMPTS


def test_aliases_that_others_change_all_the_time_are_given_up(
    registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(registry, times=2)
    registry.set_alias("a", "staging", 1)
    tried: list[str] = []

    def changed(self: LocalStorage, key: str, content: bytes, replaces: str | None) -> None:
        tried.append(key)
        raise Conflict("changed")

    monkeypatch.setattr(LocalStorage, "write", changed)
    assert said(Conflict, lambda: registry.set_alias("a", "x", 2)) == (
        "the aliases of a can't be changed: other writers change them all the time"
    )
    assert tried == ["a/aliases.json"] * registries.ATTEMPTS
    registry.set_alias("a", "staging", 1)  # as it is already: nothing is written


def test_the_second_of_two_changes_at_once_keeps_the_first(registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(registry, times=2)
    whole = LocalStorage.write

    def second(self: LocalStorage, key: str, content: bytes, replaces: str | None) -> None:
        monkeypatch.setattr(LocalStorage, "write", whole)
        registry.set_alias("a", "first", 1)
        whole(self, key, content, replaces)

    monkeypatch.setattr(LocalStorage, "write", second)
    registry.set_alias("a", "second", 2)
    assert registry.aliases("a") == {"champion": 1, "first": 1, "second": 2}


def test_aliases_lie_in_one_line_of_json(registry: Registry, tmp_path: Path) -> None:
    publish(registry)
    registry.set_alias("a", "best", 1)
    text = (tmp_path / "a" / "aliases.json").read_text()
    assert text == '{"best":1,"champion":1}\n'
    manifest = (tmp_path / "a" / "1" / "manifest.json").read_text()
    assert manifest.count("\n") == 1
    assert json.loads(manifest)["name"] == "a"


def test_whether_a_version_could_be_published_is_asked_of_the_storage(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry.check_publishing()  # a folder can always be published to
    asked: list[LocalStorage] = []
    monkeypatch.setattr(registries, "check_conditional_writes", asked.append)
    registry.check_publishing()
    assert [storage.root for storage in asked] == [str(tmp_path)]
