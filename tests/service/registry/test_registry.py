import json
import threading
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest

from service.errors import Conflict, DataError, InvalidInput, NotFound
from service.registry import Registry
from service.registry.search import Query, find
from tests.service.models import draft, publish, with_accuracy


def test_what_is_published_is_what_is_read(tmp_path: Path) -> None:
    made = draft(seed=3)
    model = publish(tmp_path, made=made)
    assert np.array_equal(model.parameters(), made.theta)
    assert model.build_network() == made.network
    assert model.read_json("metrics")["test"]["confusion"] == [list(row) for row in made.metrics["test"]["confusion"]]
    assert {"weights.safetensors", "model.onnx", "README.md", "curve.png", "confusion.png"} <= set(model.files)


def test_versions_count_up_and_the_first_becomes_champion(tmp_path: Path) -> None:
    assert [publish(tmp_path).version, publish(tmp_path).version] == [1, 2]
    assert Registry(tmp_path).get("lenet").version == 1


def test_the_card_states_the_figures_of_the_draft(tmp_path: Path) -> None:
    made = with_accuracy(draft(), 0.8731)
    card = publish(tmp_path, made=made).read_file("README.md").decode()
    assert "value: 0.8731" in card
    assert f"{made.metrics['test']['classes'][3]['f1']:.3f}" in card


def test_a_network_without_convolutions_has_no_picture_of_kernels(tmp_path: Path) -> None:
    assert "kernels.png" not in publish(tmp_path, "flat", draft("mlp")).files


def test_a_damaged_file_is_never_handed_out(tmp_path: Path) -> None:
    model = publish(tmp_path)
    weights = model.path / "weights.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
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
    assert [path.name for path in (tmp_path / "lenet").iterdir()] == [".lock"]
    assert Registry(tmp_path).names() == []


def _publish_two(folder: str) -> list[int]:
    return [publish(Path(folder), "mlp", draft("mlp")).version for _ in range(2)]


def test_publishers_in_several_processes_never_share_a_version_and_readers_never_see_half(tmp_path: Path) -> None:
    done = threading.Event()
    seen: list[int] = []

    def read() -> None:
        registry = Registry(tmp_path)
        while not done.is_set():
            for version in registry.versions("mlp"):
                model = registry.get("mlp", str(version))
                for file in model.files:
                    model.read_file(file)
                seen.append(version)

    reader = threading.Thread(target=read)
    reader.start()
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        versions = [v for pair in pool.map(_publish_two, [str(tmp_path)] * 2) for v in pair]
    done.set()
    reader.join()
    assert sorted(versions) == [1, 2, 3, 4]
    assert seen


def test_an_alias_moves(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    publish(tmp_path)
    publish(tmp_path)
    registry.set_alias("lenet", "staging", 1)
    registry.set_alias("lenet", "staging", 2)
    assert registry.get("lenet", "staging").version == 2
    with pytest.raises(NotFound):
        registry.set_alias("lenet", "staging", 3)


def test_an_alias_that_can_be_mistaken_is_refused(tmp_path: Path) -> None:
    publish(tmp_path)
    for alias in ("2", "Big", "", "../x", "a b", "x\n", "٣"):
        with pytest.raises(InvalidInput):
            Registry(tmp_path).set_alias("lenet", alias, 1)


def test_the_champion_moves_to_the_best_by_a_metric(tmp_path: Path) -> None:
    for accuracy in (0.5, 0.9, 0.7):
        publish(tmp_path, made=with_accuracy(draft(), accuracy))
    registry = Registry(tmp_path)
    assert registry.promote("lenet", "champion", "test_accuracy").version == 2
    assert registry.promote("lenet", "champion", "test_loss").version == 1, "of equals the oldest"
    with pytest.raises(InvalidInput, match="metric must be one of"):
        registry.promote("lenet", "champion", "beauty")


def test_a_deleted_version_can_be_restored_until_it_is_purged(tmp_path: Path) -> None:
    registry = Registry(tmp_path)
    publish(tmp_path)
    publish(tmp_path)
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
    assert publish(tmp_path).version == 3, "a number is never given twice"


@pytest.mark.parametrize("name", ["../lenet", "a/b", "", ".hidden", "Lenet", "lenet\n", "x" * 65])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(InvalidInput):
        Registry(tmp_path).versions(name)


def test_a_version_that_isnt_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    publish(tmp_path)
    for version in ("0", "01", "-1", "٣", "9" * 30, "..", "nothing"):
        with pytest.raises(NotFound, match=r"versions: 1"):
            Registry(tmp_path).get("lenet", version)


def test_pages_list_every_model_once_while_more_are_published(tmp_path: Path) -> None:
    for accuracy in (0.5, 0.9, 0.7, 0.8):
        publish(tmp_path, made=with_accuracy(draft(), accuracy))
    registry = Registry(tmp_path)
    first = find(registry, Query(sort="-test_accuracy", limit=2))
    publish(tmp_path, made=with_accuracy(draft(), 0.95))
    second = find(registry, Query(sort="-test_accuracy", limit=2, cursor=first.cursor))
    assert [model.version for model in first.items + second.items] == [2, 4, 3, 1]
    assert second.cursor == ""


def test_models_are_found_by_what_they_are(tmp_path: Path) -> None:
    publish(tmp_path, made=with_accuracy(draft(tags=("small",)), 0.6))
    publish(tmp_path, "flat", with_accuracy(draft("mlp"), 0.9))
    registry = Registry(tmp_path)
    assert [m.name for m in find(registry, Query(tag="small")).items] == ["lenet"]
    assert [m.name for m in find(registry, Query(min_accuracy=0.9)).items] == ["flat"]
    assert find(registry, Query(dataset="mnist")).total == 0


@pytest.mark.parametrize(
    "query", [Query(sort="path"), Query(limit=0), Query(limit=101), Query(cursor="!"), Query(cursor="W1tb")]
)
def test_a_query_that_cant_be_is_told(tmp_path: Path, query: Query) -> None:
    with pytest.raises(InvalidInput):
        find(Registry(tmp_path), query)


def test_the_manifest_lists_every_file_with_its_size(tmp_path: Path) -> None:
    model = publish(tmp_path)
    manifest = json.loads((model.path / "manifest.json").read_text())
    on_disk = {p.name: p.stat().st_size for p in model.path.iterdir() if p.name != "manifest.json"}
    assert {name: facts["size"] for name, facts in manifest["files"].items()} == on_disk
