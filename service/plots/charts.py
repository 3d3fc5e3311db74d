"""The charts of a training: loss and accuracy over the epochs, as values."""

from collections.abc import Mapping, Sequence
from typing import Any

from ops.charts import Chart, Line, chart_of

Epochs = Sequence[Mapping[str, Any]]
"""The epochs of a training: `epoch`, counted from 1, and figures by name.

A figure that is missing or None wasn't measured.
"""


def loss_chart(epochs: Epochs) -> Chart:
    """The train loss over the epochs."""
    return chart_of([_line(epochs, "train_loss", "train loss")])


def accuracy_chart(epochs: Epochs) -> Chart:
    """The accuracies over the epochs, from 0 to 1: train, test, and validation where examples are held out."""
    names = ("train", "test", "validation")
    return chart_of([_line(epochs, f"{name}_accuracy", f"{name} accuracy") for name in names], y_max=1.0)


def _line(epochs: Epochs, key: str, name: str) -> Line:
    return Line(name, tuple((epoch["epoch"], epoch[key]) for epoch in epochs if epoch.get(key) is not None))
