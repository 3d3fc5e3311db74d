"""What is published as a version of a model, and the files that it becomes."""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any

from safetensors.numpy import save

from ops.engines.base import Floats
from ops.network import Network
from service.errors import InvalidInput
from service.registry.exports.weights import as_tensors


@dataclass(frozen=True)
class Draft:
    """A model that is ready to be published.

    Attributes:
        network: The network.
        theta: Its parameters (num_parameters,).
        class_names: Of its classes, in order.
        dataset: The name of the data set that it was trained on.
        config: The configuration of its training.
        metrics: `train_loss`, `train_accuracy`, those of `evaluation.Evaluation` under `test`, and of
            `evaluation.Score` under `validation` where examples were held out.
        history: One object an epoch.
        lineage: Run, data, digest of the parameters, versions of the code.
        tags: Words to find it by.
        preparation: How pictures became its training images (`data.preparation.Preparation`).
        statistics: Ranges of figures of its training images (`data.statistics.ImageStatistics`).
        warnings: What people should know before they use it, one line each.
    """

    network: Network
    theta: Floats
    class_names: tuple[str, ...]
    dataset: str
    config: dict[str, Any]
    metrics: dict[str, Any]
    history: list[dict[str, Any]]
    lineage: dict[str, Any]
    tags: tuple[str, ...] = ()
    preparation: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    def files(self) -> dict[str, bytes]:
        """Every file of the version but the manifest and the model card, by name."""
        # Here, because Matplotlib and ONNX take longer to import than the rest together, and a run needs them last.
        from service.plots.confusion import confusion_picture
        from service.plots.curve import curve_picture
        from service.plots.kernels import kernels_picture
        from service.plots.reliability import reliability_picture
        from service.registry.exports.onnx import onnx_model

        files = {"weights.safetensors": save(as_tensors(self.network, self.theta))}
        # A network with a layer that ONNX lacks is published all the same, without that one file.
        with suppress(InvalidInput):
            files["model.onnx"] = onnx_model(self.network, self.theta)
        for name, value in (("config", self.config), ("metrics", self.metrics), ("history", self.history)):
            files[f"{name}.json"] = (json.dumps(value, indent=1, ensure_ascii=False) + "\n").encode()
        files["curve.png"] = _png(curve_picture, self.history)
        files["confusion.png"] = _png(confusion_picture, self.metrics["test"]["confusion"], self.class_names)
        test = self.metrics["test"]
        files["reliability.png"] = _png(reliability_picture, test["calibration"], test["calibration_error"])
        if kernels := first_kernels(self.network, self.theta):
            files["kernels.png"] = _png(kernels_picture, kernels)
        return files


def first_kernels(network: Network, theta: Floats) -> list[Floats]:
    """The kernels of the first layer that has any; empty without convolutions.

    They are (h, w), by output and input channel. Those that look at the three colours of pixels stay whole: (3, h, w).
    """
    for number, (_, view) in enumerate(network.named_parameters(theta)):
        if view.ndim == 4:
            in_colour = number == 0 and network.input_shape[0] == view.shape[1] == 3
            return list(view if in_colour else view.reshape(-1, *view.shape[2:]))
    return []


def _png(draw: Callable[..., None], *what: Any) -> bytes:
    stream = BytesIO()
    draw(*what, stream)
    return stream.getvalue()
