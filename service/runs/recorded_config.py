"""The configuration of a run, as it was written when the run began, perhaps by an older version of this program."""

from typing import Any

from service.config import TrainConfig


def recorded_config(values: Any) -> TrainConfig:
    """The configuration that was written down; an option that didn't exist then means what was done without it.

    Raises pydantic's ValidationError where it is damaged.
    """
    if isinstance(values, dict):
        values = with_old_holdout(values)
    return TrainConfig.model_validate(values)


def with_old_holdout(values: dict[str, Any]) -> dict[str, Any]:
    """Some options of a training with `holdout_by`: without it, the last examples were held out."""
    return {"holdout_by": "last", **values} if values.get("holdout") else values
