"""How to average a number of shards where nothing else is said of averaging."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from service.config import AveragingConfig, TrainConfig
from service.networks.presets import PRESETS

MANY = 8
"""More shards, with fewer than `ENOUGH` examples a step each, are averaged more often; see docs/averaging.md."""

ENOUGH = 32
"""So many examples a step and shard are enough for the longer interval, as they were with 8 shards."""

SEVERAL_EVERY, MANY_EVERY = 59, 30
"""Steps between two averages, of some shards and of many."""

OUTER_MOMENTUM = 0.9
"""Where the steps are plain SGD; momentum of both was not tried."""

SOLO_SHARE = 0.5
"""The longest start that is taken alone."""

PLATEAU_LEFT_AT = 0.65
"""A network has left its first plateau where its loss is below this share of that of guessing."""


@dataclass(frozen=True)
class Recommended:
    """Options of averaging, and why they were picked.

    Attributes:
        options: fields of `AveragingConfig`; those that are left out keep their defaults.
        why: one line for people.
    """

    options: Mapping[str, Any]
    why: str


def recommended_averaging(
    config: TrainConfig, chosen: Mapping[str, Any], guessing_loss: Callable[[], float]
) -> Recommended | None:
    """What is picked for a number of shards.

    Args:
        config: the training as it would be otherwise.
        chosen: what was said, nested as `TrainConfig` is.
        guessing_loss: gives the train loss of guessing; not called where nothing is picked.

    Returns:
        None where the default stays: for its own number of shards, where more is said of averaging than the number of
        shards, or where the network has a preset of its own for it.
    """
    shards = config.averaging.shards
    if set(chosen.get("averaging", ())) != {"shards"} or shards == AveragingConfig().shards:
        return None
    if "averaging" in PRESETS.get(config.network_name, {}):
        return None
    solo_loss = round(PLATEAU_LEFT_AT * guessing_loss(), 2)
    options = {"solo_share": SOLO_SHARE, "solo_loss": solo_loss, "final_average": "plain"}
    reasons = [
        "one task goes on alone until the loss has left its plateau",
        "the mean is a better model than the momentum's next start",
    ]
    if config.optimizer.optimizer == "sgd" and not config.optimizer.momentum:
        is_noisy = shards > MANY and config.batch_size < ENOUGH * shards
        options |= {"average_every": MANY_EVERY if is_noisy else SEVERAL_EVERY, "outer_momentum": OUTER_MOMENTUM}
        reasons.append("more frequent averages with more momentum make up for noisier steps")
    said = " ".join(f"--{name.replace('_', '-')} {value}" for name, value in options.items())
    return Recommended(options, f"averaging {shards} shards: {said}, because {'; '.join(reasons)}")
