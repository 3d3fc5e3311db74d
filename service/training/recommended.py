"""How to average a number of shards where nothing else is said of averaging."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.config import AveragingConfig, TrainConfig
from service.networks.presets import PRESETS

MANY = 8
"""With more shards, one training of five stayed on its first plateau by the default; see docs/averaging.md."""

ENOUGH = 32
"""So many examples a step and shard are enough for the default, as they were with 8 shards."""


@dataclass(frozen=True)
class Recommended:
    """Options of averaging, and why they were picked.

    Attributes:
        options: fields of `AveragingConfig`; those that are left out keep their defaults.
        why: one line for people.
    """

    options: Mapping[str, Any]
    why: str


def recommended_averaging(config: TrainConfig, chosen: Mapping[str, Any]) -> Recommended | None:
    """What is picked for a number of shards.

    Args:
        config: the training as it would be otherwise.
        chosen: what was said, nested as `TrainConfig` is.

    Returns:
        None where the default stays: for its own number of shards, where more is said of averaging than the number of
        shards, or where the network has a preset of its own for it.
    """
    shards = config.averaging.shards
    if set(chosen.get("averaging", ())) != {"shards"} or shards == AveragingConfig().shards:
        return None
    if "averaging" in PRESETS.get(config.network_name, {}):
        return None
    options: dict[str, Any] = {"final_average": "plain"}
    said, reasons = "--final-average plain", ["their mean is a better model than the momentum's next start"]
    if shards > MANY and config.batch_size < ENOUGH * shards:
        options = {"first_average_every": 1, **options}
        said = f"--first-average-every 1 {said}"
        reasons.insert(
            0,
            f"steps of {config.batch_size / shards:.3g} examples are too noisy to leave a plateau, unless averages "
            "follow each other fast at first, which takes time",
        )
    return Recommended(options, f"averaging {shards} shards: {said}, because {'; and '.join(reasons)}")
