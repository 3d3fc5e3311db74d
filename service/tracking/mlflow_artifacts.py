"""What MLflow keeps of a published model: the files of its version, laid out as an MLflow model.

model/     MLmodel, model.onnx, weights.safetensors: `mlflow.onnx` and `mlflow.pyfunc` load it
plots/     curves, confusion matrix, reliability, kernels
report/    the model card, metrics and history
run/       the configuration and the round log
"""

import json
import platform
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from service.registry import ModelVersion
from service.tracking.base import TrackedRun


@contextmanager
def artifacts(model: ModelVersion, run: TrackedRun) -> Iterator[Path]:
    """A temporary folder with all artifacts of a model and its run."""
    with tempfile.TemporaryDirectory(prefix="atelier-mlflow-") as name:
        folder = Path(name)
        for file in model.files:
            target = folder / _part(file) / file
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(model.read_file(file))
        if "model.onnx" in model.files:
            (folder / "model" / "MLmodel").write_text(_description(model) + "\n", encoding="utf-8")
        (folder / "run").mkdir()
        (folder / "run" / "config.json").write_text(run.files.read_text("config.json"), encoding="utf-8")
        (folder / "run" / "rounds.jsonl").write_bytes(run.files.read_log())
        yield folder


def _part(file: str) -> str:
    if file.endswith(".png"):
        return "plots"
    return "model" if file.endswith((".onnx", ".safetensors")) else "report"


def _description(model: ModelVersion) -> str:
    """The file that makes a folder an MLflow model. It is YAML, and JSON is YAML."""
    content = {
        "artifact_path": "model",
        "utc_time_created": model.created.replace("T", " ").partition("+")[0],
        "flavors": {
            "onnx": {"data": "model.onnx", "onnx_version": "1", "providers": ["CPUExecutionProvider"], "code": None},
            "python_function": {
                "loader_module": "mlflow.onnx",
                "data": "model.onnx",
                "python_version": platform.python_version(),
            },
        },
        "metadata": {"atelier.model": model.label, "atelier.digest": model.lineage["parameters"]},
    }
    return json.dumps(content, indent=1)
