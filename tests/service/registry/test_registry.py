import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from service.errors import Conflict, DataError, InvalidInput, NotFound
from service.registry import Registry
from service.registry.search import Query, find
from service.storage import open_storage
from tests.service.models import draft, publish, with_accuracy


def test_what_is_published_is_what_is_read(place: Path | str) -> None:
    made = draft(seed=3)
    model = publish(place, made=made)
    assert np.array_equal(model.parameters(), made.theta)
    assert model.build_network() == made.network
    assert model.read_json("metrics")["test"]["confusion"] == [list(row) for row in made.metrics["test"]["confusion"]]
    assert {"weights.safetensors", "model.onnx", "README.md", "curve.png", "confusion.png"} <= set(model.files)


def test_versions_count_up_and_the_first_becomes_champion(place: Path | str) -> None:
    assert [publish(place).version, publish(place).version] == [1, 2]
    assert Registry(place).get("lenet").version == 1


def test_the_card_states_the_figures_of_the_draft(place: Path | str) -> None:
    made = with_accuracy(draft(), 0.8731)
    card = publish(place, made=made).read_file("README.md").decode()
    assert "value: 0.8731" in card
    assert f"{made.metrics['test']['classes'][3]['f1']:.3f}" in card


def test_a_network_without_convolutions_has_no_picture_of_kernels(place: Path | str) -> None:
    assert "kernels.png" not in publish(place, "flat", draft("mlp")).files


def test_a_damaged_file_is_never_handed_out(place: Path | str) -> None:
    model = publish(place)
    weights, storage = "lenet/1/weights.safetensors", open_storage(place)
    stored = storage.read(weights)
    storage.write(weights, stored.content[:-1] + bytes([stored.content[-1] ^ 1]), stored.tag)
    with pytest.raises(DataError, match="SHA-256"):
        model.parameters()


def test_a_folder_without_a_manifest_is_no_version(tmp_path: Path) -> None:
    publish(tmp_path)
    (tmp_path / "lenet" / "2").mkdir()
    assert Registry(tmp_path).versions("lenet") == [1]


def test_nothing_is_left_of_a_publication_that_failed(tmp_path: Path) -> None:
    made = draft()
    broken = draft(metrics={**made.metrics, "test": {**made.metrics["test"], "confusion": "no matrix"}})
    with pytest.raises(ValueError, match="could not convert"):
        publish(tmp_path, made=broken)
    assert list(tmp_path.iterdir()) == []
    assert Registry(tmp_path).names() == []


def _publish_two(place: Path | str) -> list[int]:
    return [publish(place, "mlp", draft("mlp")).version for _ in range(2)]


@pytest.mark.slow
def test_publishers_in_several_processes_never_share_a_version_and_readers_never_see_half(place: Path | str) -> None:
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        registry = Registry(place)
        while not done.is_set():
            for version in registry.versions("mlp"):
                model = registry.get("mlp", str(version))
                for file in model.files:
                    model.read_file(file)
                seen.append(version)

    reader = threading.Thread(target=read)
    reader.start()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        versions = [v for pair in pool.map(_publish_two, [place] * 2) for v in pair]
    done.set()
    reader.join()
    assert sorted(versions) == [1, 2, 3, 4]
    assert seen


def test_an_alias_moves(place: Path | str) -> None:
    registry = Registry(place)
    publish(place)
    publish(place)
    registry.set_alias("lenet", "staging", 1)
    registry.set_alias("lenet", "staging", 2)
    assert registry.get("lenet", "staging").version == 2
    with pytest.raises(NotFound):
        registry.set_alias("lenet", "staging", 3)


def test_an_alias_that_can_be_mistaken_is_refused(place: Path | str) -> None:
    publish(place)
    for alias in ("2", "Big", "", "../x", "a b", "x\n", "٣"):
        with pytest.raises(InvalidInput):
            Registry(place).set_alias("lenet", alias, 1)


def test_the_champion_moves_to_the_best_by_a_metric(place: Path | str) -> None:
    for accuracy in (0.5, 0.9, 0.7):
        publish(place, made=with_accuracy(draft(), accuracy))
    registry = Registry(place)
    assert registry.promote("lenet", "champion", "test_accuracy").version == 2
    assert registry.promote("lenet", "champion", "test_loss").version == 1, "of equals the oldest"
    with pytest.raises(InvalidInput, match="metric must be one of"):
        registry.promote("lenet", "champion", "beauty")


def test_a_deleted_version_can_be_restored_until_it_is_purged(place: Path | str) -> None:
    registry = Registry(place)
    publish(place)
    publish(place)
    with pytest.raises(Conflict, match="champion"):
        registry.delete("lenet", 1)
    registry.delete("lenet", 2)
    assert registry.versions("lenet") == [1]
    assert registry.purge(grace_s=60) == []
    assert registry.restore("lenet", 2).version == 2
    registry.delete("lenet", 2)
    assert registry.purge(grace_s=0) == ["lenet:2"]
    with pytest.raises(NotFound):
        registry.restore("lenet", 2)
    assert publish(place).version == 3, "a number is never given twice"


def test_a_version_that_lies_renamed_in_an_older_home_is_restored(tmp_path: Path) -> None:
    for _ in range(2):
        publish(tmp_path)
    (tmp_path / "lenet" / "2").rename(tmp_path / "lenet" / ".deleted-2")
    assert publish(tmp_path).version == 3
    assert Registry(tmp_path).restore("lenet", 2).read_file("model.onnx")
    assert Registry(tmp_path).versions("lenet") == [1, 2, 3]


@pytest.mark.parametrize("name", ["../lenet", "a/b", "", ".hidden", "Lenet", "lenet\n", "x" * 65])
def test_a_name_that_could_leave_the_folder_is_refused(place: Path | str, name: str) -> None:
    with pytest.raises(InvalidInput):
        Registry(place).versions(name)


def test_a_version_that_isnt_there_is_told_with_those_that_are(place: Path | str) -> None:
    publish(place)
    for version in ("0", "01", "-1", "٣", "9" * 30, "..", "nothing"):
        with pytest.raises(NotFound, match=r"versions: 1"):
            Registry(place).get("lenet", version)


def test_pages_list_every_model_once_while_more_are_published(place: Path | str) -> None:
    for accuracy in (0.5, 0.9, 0.7, 0.8):
        publish(place, made=with_accuracy(draft(), accuracy))
    registry = Registry(place)
    first = find(registry, Query(sort="-test_accuracy", limit=2))
    publish(place, made=with_accuracy(draft(), 0.95))
    second = find(registry, Query(sort="-test_accuracy", limit=2, cursor=first.cursor))
    assert [model.version for model in first.items + second.items] == [2, 4, 3, 1]
    assert second.cursor == ""


def test_models_are_found_by_what_they_are(place: Path | str) -> None:
    publish(place, made=with_accuracy(draft(tags=("small",)), 0.6))
    publish(place, "flat", with_accuracy(draft("mlp"), 0.9))
    registry = Registry(place)
    assert [m.name for m in find(registry, Query(tag="small")).items] == ["lenet"]
    assert [m.name for m in find(registry, Query(min_accuracy=0.9)).items] == ["flat"]
    assert find(registry, Query(dataset="mnist")).total == 0


@pytest.mark.parametrize(
    "query", [Query(sort="path"), Query(limit=0), Query(limit=101), Query(cursor="!"), Query(cursor="W1tb")]
)
def test_a_query_that_cant_be_is_told(place: Path | str, query: Query) -> None:
    with pytest.raises(InvalidInput):
        find(Registry(place), query)


def test_the_manifest_lists_every_file_with_its_size(tmp_path: Path) -> None:
    model = publish(tmp_path)
    assert {name: facts["size"] for name, facts in model.files.items()} == {
        name: len(model.read_file(name)) for name in model.files
    }
    on_disk = {path.name for path in (tmp_path / "lenet" / "1").iterdir()}
    assert on_disk == {*model.files, "manifest.json"}


def test_a_damaged_manifest_hides_no_other_version_and_what_is_added_later_is_left_out(
    place: Path | str, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    monkeypatch.setattr("service.registry.registry.log.warning", lambda form, *values: told.append(form % values))
    for _ in range(3):
        publish(place)
    storage = open_storage(place)
    for version, change in ((1, lambda found: b"{"), (2, lambda found: found.replace(b"{", b'{"later":[1],', 1))):
        stored = storage.read(f"lenet/{version}/manifest.json")
        storage.write(f"lenet/{version}/manifest.json", change(stored.content), stored.tag)
    registry = Registry(place)
    assert [model.version for model in registry.everything()] == [2, 3]
    assert [model.version for model in registry.everything()] == [2, 3]
    assert [message.count("lenet/1/manifest.json is damaged") for message in told] == [1]
    with pytest.raises(DataError, match=r"lenet/1/manifest\.json is damaged: "):
        registry.get("lenet", "1")
    assert publish(place).version == 4


def test_damaged_aliases_are_told(place: Path | str) -> None:
    publish(place)
    storage = open_storage(place)
    storage.write("lenet/aliases.json", b"[1", storage.read("lenet/aliases.json").tag)
    with pytest.raises(DataError, match=r"lenet/aliases\.json is damaged"):
        Registry(place).get("lenet")
