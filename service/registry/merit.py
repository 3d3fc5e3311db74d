"""Which version of a model is the best: a question of one data set, since figures on another say nothing of it."""

from collections.abc import Sequence

from service.errors import InvalidInput, NotFound
from service.registry.version import ModelVersion

MERIT = "test_accuracy"
"""The metric by which a training's version becomes champion."""


def candidates(
    name: str, versions: Sequence[ModelVersion], dataset: str = "", holder: int | None = None
) -> list[ModelVersion]:
    """The versions of a model that can be compared.

    Args:
        name: the model's name.
        versions: all of its versions, oldest first.
        dataset: the name of the data set to compare on; empty for that of the version which has the alias.
        holder: the number of that version; the newest counts where it has none.

    Raises:
        NotFound: there is none.
    """
    found = [model for model in versions if dataset in ("", model.dataset)]
    if not versions:
        raise NotFound(f"there is no model {name!r}")
    if not found:
        known = ", ".join(sorted({model.dataset for model in versions}))
        raise NotFound(f"no version of {name!r} was trained on {dataset!r} (there: {known})")
    data = next((model.data for model in found if model.version == holder), found[-1].data)
    return [model for model in found if model.data == data]


def best(models: Sequence[ModelVersion], metric: str) -> ModelVersion:
    """The best by a metric: the lowest of a loss, the highest of all else; of equals the first.

    Raises InvalidInput where one of them lacks the metric.
    """
    if any(metric not in model.metrics for model in models):
        raise InvalidInput(f"metric must be one of {', '.join(models[0].metrics)}, got {metric!r}")
    sign = -1 if metric.endswith("loss") else 1
    return max(models, key=lambda model: (sign * model.metrics[metric], -model.version))
