"""The configuration of a run, as it was written when the run began, perhaps by an older version of this program."""

from typing import Any

from service.config import DEFAULT_DATASET, TrainConfig


def recorded_config(values: Any) -> TrainConfig:
    """The configuration that was written down; an option that didn't exist then means what was done without it.

    Raises pydantic's ValidationError where it is damaged.
    """
    if isinstance(values, dict) and "holdout_by" not in values:
        values = _before_holdout_by(values)
    if isinstance(values, dict) and isinstance(averaging := values.get("averaging"), dict):
        values = {**values, "averaging": {"solo_steps": 0, **averaging}}
    if isinstance(values, dict):
        values = {"shuffle": "full", **values}
    return TrainConfig.model_validate(values)


def _before_holdout_by(values: dict[str, Any]) -> dict[str, Any]:
    """The last examples were held out, and a model was called after its network whatever it was trained on."""
    changed = dict(values)
    if values.get("holdout"):
        changed["holdout_by"] = "last"
    if values.get("dataset", DEFAULT_DATASET) != DEFAULT_DATASET:
        changed["name"] = values.get("name") or values.get("model", "")
    return changed


def flatten(nested: dict[str, Any], above: str = "") -> dict[str, Any]:
    """A nested configuration with dotted keys."""
    flat: dict[str, Any] = {}
    for key, value in nested.items():
        flat |= flatten(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return flat
