"""What becomes of a draft: its files, its card, its manifest, and the version that is read back."""

import json
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from ops import zoo
from service.errors import DataError, InvalidInput, NotFound
from service.files import canonical_json
from service.networks import Description
from service.networks.building import build
from service.registry import Draft, ModelVersion
from service.registry.card import model_card
from service.registry.draft import first_kernels
from service.registry.exports import onnx
from service.storage import LocalStorage
from tests.service.models import draft, publish

CLASSES = [
    {"name": "shirt", "support": 1200, "precision": 0.5, "recall": 0.25, "f1": 0.125},
    {"name": "shoe", "support": 34, "precision": 0.75, "recall": 1.0, "f1": 0.0625},
]
TEST = {
    "loss": 0.25,
    "accuracy": 0.875,
    "examples": 1234,
    "calibration_error": 0.03125,
    "calibration": [{"count": 1234, "confidence": 0.84375, "accuracy": 0.875}],
    "balanced_accuracy": 0.625,
    "classes": CLASSES,
    "confusion": [[1, 2], [3, 4]],
}
MLP = {
    "name": "mlp",
    "initializer": "he",
    "layers": ["flatten", {"dense": {"units": 256}}, "relu", {"dense": {"units": 10}}],
}
VALIDATION = {"examples": 5000, "loss": 0.375, "accuracy": 0.8125}


@pytest.fixture(scope="module")
def made() -> Draft:
    """A draft whose every figure is another one."""
    return replace(
        draft("mlp"),
        class_names=("shirt", "shoe"),
        dataset="clothes",
        metrics={"train_loss": 0.5, "train_accuracy": 0.75, "test": TEST},
        lineage={"run": "20261123", "versions": {"zarr": "3", "numpy": "2"}},
        tags=("small", "ünlike"),
    )


CARD = """---
library_name: atelier
pipeline_tag: image-classification
datasets:
- clothes
metrics:
- accuracy
tags: ["small", "\\u00fcnlike"]
model-index:
- name: fast
  results:
  - task:
      type: image-classification
    dataset:
      name: clothes
      type: clothes
      split: test
    metrics:
    - type: accuracy
      value: 0.8750
    - type: loss
      value: 0.2500
---

# fast, version 7
"""

FIGURES = """| | loss | accuracy |
|---|---|---|
| train | 0.5000 | 0.7500 |
| test (1,234 images) | 0.2500 | 0.8750 |

Balanced accuracy on the test images, the mean recall of the classes: 0.6250. Expected
calibration error: 0.0312.
"""

TABLE = """| class | examples | precision | recall | f1 |
|---|---|---|---|---|
| shirt | 1,200 | 0.500 | 0.250 | 0.125 |
| shoe | 34 | 0.750 | 1.000 | 0.062 |
"""

NETWORK = """Input: float32 (n, 1, 28, 28), pixels divided by 255. Output: logits (n, 2).

    mlp(
      (0): Flatten()
      (1): Dense(256)
      (2): ReLU()
      (3): Dense(10)
    )
"""

LINEAGE = """| | |
|---|---|
| run | `20261123` |
| versions | `{"numpy": "2", "zarr": "3"}` |
"""


def test_a_card_states_every_figure_of_the_draft(made: Draft) -> None:
    card = model_card("fast", 7, made)
    assert card.startswith(CARD)
    for part in (FIGURES, TABLE, NETWORK, "`dense1.weight`", "28 by 28 pixels", "203,530 parameters", "2 classes"):
        assert part in card
    assert card.endswith(LINEAGE)


def test_a_card_states_the_validation_where_examples_were_held_out(made: Draft) -> None:
    card = model_card("fast", 7, replace(made, metrics={**made.metrics, "validation": VALIDATION}))
    row = "| validation (5,000 training images held out) | 0.3750 | 0.8125 |\n| test (1,234 images) |"
    assert "| train | 0.5000 | 0.7500 |\n" + row in card


def test_the_files_of_a_draft_are_what_it_holds() -> None:
    made = draft("lenet", config={"resize": 0, "name": "ünlike"})
    files = made.files()
    assert sorted(files) == [
        "config.json", "confusion.png", "curve.png", "history.json", "kernels.png", "metrics.json", "model.onnx",
        "reliability.png", "weights.safetensors",
    ]  # fmt: skip
    for name, value in (("config", made.config), ("metrics", made.metrics), ("history", made.history)):
        content = files[f"{name}.json"].decode()
        assert json.loads(content) == json.loads(json.dumps(value))
        assert content.startswith(("{\n ", "[\n ")), "one value a line, for people"
        assert content.endswith("\n")
    assert "ünlike" in files["config.json"].decode()
    for name in ("confusion.png", "curve.png", "kernels.png"):
        assert files[name].startswith(b"\x89PNG")
    tensors = load(files["weights.safetensors"])
    assert sorted(tensors) == sorted(piece.name for piece in made.network.table)
    for name, view in made.network.named_parameters(made.theta):
        np.testing.assert_array_equal(tensors[name], view)


def test_a_network_that_onnx_lacks_a_layer_of_is_published_without_that_file(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: Any) -> bytes:
        raise InvalidInput("ONNX has no such layer")

    monkeypatch.setattr(onnx, "onnx_model", refuse)
    files = draft("mlp").files()
    assert "model.onnx" not in files
    assert {"weights.safetensors", "config.json", "curve.png"} <= set(files)
    assert "kernels.png" not in files


def test_the_first_kernels_are_those_of_the_first_convolution() -> None:
    made = draft("lenet")
    kernels = first_kernels(made.network, made.theta)
    assert [kernel.shape for kernel in kernels] == [(5, 5)] * 6
    np.testing.assert_array_equal(np.concatenate([kernel.ravel() for kernel in kernels]), made.theta[:150])
    flat = draft("mlp")
    assert first_kernels(flat.network, flat.theta) == []


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Drafts without pictures, which take the time."""
    monkeypatch.setattr(Draft, "files", lambda self: {"config.json": b"{}\n", "history.json": b"[1, 2]\n"})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("validation", [None, VALIDATION])
def test_the_manifest_says_what_lists_and_whoever_rebuilds_a_model_need(
    tmp_path: Path, made: Draft, validation: dict[str, float] | None
) -> None:
    metrics = {**made.metrics, **({"validation": validation} if validation else {})}
    given = replace(made, metrics=metrics, preparation={"fit": "pad"}, statistics={"mean": [1, 2]}, warnings=("look",))
    before = datetime.now(UTC).replace(microsecond=0)
    model = publish(tmp_path, "fast", given)
    manifest = json.loads((tmp_path / "fast" / "1" / "manifest.json").read_text())
    created = datetime.fromisoformat(manifest.pop("created"))
    assert before <= created <= datetime.now(UTC)
    assert created.utcoffset() == timedelta(0)
    assert created.microsecond == 0
    card = model_card("fast", 1, given).encode()
    contents = {"README.md": card, "config.json": b"{}\n", "history.json": b"[1, 2]\n"}
    held = {"validation_loss": 0.375, "validation_accuracy": 0.8125} if validation else {}
    assert manifest == {
        "name": "fast",
        "version": 1,
        "dataset": "clothes",
        "class_names": ["shirt", "shoe"],
        "network": {
            "name": "mlp",
            "input_shape": [1, 28, 28],
            "classes": 2,
            "resize": 0,
            "digest": sha256(canonical_json(MLP).encode()).hexdigest(),
            "description": MLP,
        },
        "metrics": {"train_loss": 0.5, "train_accuracy": 0.75, "test_loss": 0.25, "test_accuracy": 0.875, **held},
        "preparation": {"fit": "pad"},
        "statistics": {"mean": [1, 2]},
        "lineage": made.lineage,
        "tags": ["small", "ünlike"],
        "warnings": ["look"],
        "files": {
            name: {"sha256": sha256(content).hexdigest(), "size": len(content)} for name, content in contents.items()
        },
    }
    found = {name: value for name, value in asdict(replace(model, storage=None)).items() if name != "storage"}  # type: ignore[arg-type]
    assert found == {
        **manifest,
        "created": model.created,
        "class_names": ("shirt", "shoe"),
        "tags": ("small", "ünlike"),
        "warnings": ("look",),
    }
    assert "> **Warning:** look\n" in card.decode()
    assert model.created == created.isoformat()


@pytest.mark.usefixtures("quick")
def test_a_version_of_before_names_a_network_of_the_zoo_instead_of_describing_it(tmp_path: Path) -> None:
    model = publish(tmp_path)
    before = {key: value for key, value in model.network.items() if key not in ("digest", "description")}
    assert before == {"name": "lenet", "input_shape": [1, 28, 28], "classes": 10, "resize": 0}
    assert (
        replace(model, network=before).build_network() == model.build_network() == zoo.network("lenet", (1, 28, 28), 10)
    )


@pytest.mark.usefixtures("quick")
def test_a_version_is_called_by_name_and_number_and_lies_where_that_says(tmp_path: Path, made: Draft) -> None:
    publish(tmp_path, "fast", made)
    model = publish(tmp_path, "fast", made)
    assert (model.label, model.place) == ("fast:2", f"{tmp_path}/fast/2")
    assert model.read_json("history") == [1, 2]
    assert model.read_file("config.json") == b"{}\n"
    assert model.digest("config.json") == sha256(b"{}\n").hexdigest()


@pytest.mark.usefixtures("quick")
def test_files_that_are_missing_altered_or_none_of_the_versions_are_told_apart(tmp_path: Path, made: Draft) -> None:
    model = publish(tmp_path, "fast", made)
    with pytest.raises(NotFound) as unknown:
        model.read_file("beauty.json")
    listed = "README.md, config.json, history.json"
    assert str(unknown.value) == f"fast:1 has no file 'beauty.json' (files: {listed})"
    path = tmp_path / "fast" / "1" / "config.json"
    path.write_bytes(b"{ }\n")
    with pytest.raises(DataError) as altered:
        model.read_file("config.json")
    assert str(altered.value) == f"{path} is damaged: its SHA-256 is not the one in the manifest"
    path.unlink()
    with pytest.raises(DataError) as missing:
        model.read_file("config.json")
    assert str(missing.value) == f"{path} is missing, though the manifest lists it"


def version_of(folder: Path, weights: bytes) -> ModelVersion:
    """A version of which nothing but the weights is published."""
    (folder / "odd" / "1").mkdir(parents=True)
    (folder / "odd" / "1" / "weights.safetensors").write_bytes(weights)
    return ModelVersion(
        name="odd", version=1, created="", dataset="", class_names=(), metrics={}, lineage={}, tags=(),
        network={"name": "mlp", "input_shape": [1, 28, 28], "classes": 10, "resize": 0},
        files={"weights.safetensors": {"sha256": sha256(weights).hexdigest(), "size": len(weights)}},
        storage=LocalStorage(folder),
    )  # fmt: skip


def test_the_parameters_are_those_of_the_weights(tmp_path: Path) -> None:
    made = draft("mlp", seed=3)
    tensors = {name: np.array(view) for name, view in made.network.named_parameters(made.theta)}
    np.testing.assert_array_equal(version_of(tmp_path, save(tensors)).parameters(), made.theta)


def test_weights_that_are_no_weights_are_told_with_their_place(tmp_path: Path) -> None:
    model = version_of(tmp_path, b"no tensors at all")
    with pytest.raises(DataError) as refused:
        model.parameters()
    assert str(refused.value).startswith(f"{tmp_path}/odd/1/weights.safetensors can't be read: ")


def test_the_network_is_built_from_what_the_version_says_of_it(tmp_path: Path) -> None:
    model = version_of(tmp_path, b"")
    assert model.build_network() == draft("mlp").network
    resized = replace(model, network={**model.network, "name": "lenet", "resize": 32})
    assert resized.build_network() == zoo.network("lenet", (1, 28, 28), 10, resize=32)
    assert resized.build_network() != draft("lenet").network


def test_a_network_that_is_described_is_built_as_it_is_described(tmp_path: Path) -> None:
    layers = ["flatten", {"dense": {"units": 7}}, "tanh", {"dense": {"units": 4}}]
    described = {"name": "mlp", "initializer": "he", "layers": layers}
    model = version_of(tmp_path, b"")
    network = {**model.network, "input_shape": [1, 8, 6], "classes": 4, "description": described}
    assert replace(model, network=network).build_network() == build(Description.of(described), (1, 8, 6), 4)


def test_the_data_of_a_version_are_their_digest_or_in_versions_of_before_their_name(tmp_path: Path) -> None:
    model = replace(version_of(tmp_path, b""), dataset="clothes")
    assert model.data == "clothes"
    assert replace(model, lineage={"data": "f" * 64}).data == "f" * 64
