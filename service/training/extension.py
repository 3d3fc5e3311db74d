"""A finished run that goes on: the configuration of the run that extends it."""

from typing import Any

from service.config import TrainConfig, from_preset, overlaid
from service.errors import InvalidInput, RunError
from service.home import Home
from service.runs import find_run
from service.training.history import epochs_of

FIXED = ("model", "dataset", "seed", "holdout", "holdout_by", "first_epoch")
"""What a run can't change that extends another one: nothing else is the same training on the same examples."""


def extended_config(home: Home, run: str, chosen: dict[str, Any]) -> TrainConfig:
    """What a run is trained with that extends another one: as that one was, but for more epochs.

    Shuffles and other draws go on with the next epoch. The learning rate's schedule, the warm-up and the strategy's
    progress are laid over all epochs together.

    Args:
        home: where runs are.
        run: the run that is extended.
        chosen: what is to be different, nested as `TrainConfig` is. `epochs` counts those of both runs.

    Raises:
        NotFound: there is no such run.
        RunError: it isn't finished.
        InvalidInput: it has as many epochs already, or what is chosen can't be.
    """
    parent = find_run(home.runs, run)
    if parent.status() != "finished":
        raise RunError(
            f"run {run} is {parent.status()}, not finished: `atelier runs resume {run}` takes it to its end first"
        )
    config = parent.config()
    done = config.first_epoch + len(epochs_of(parent))
    if chosen.get("epochs", 0) <= done:
        wanted = chosen.get("epochs", "none")
        raise InvalidInput(f"epochs must be more than the {done} that run {run} has, got {wanted}")
    fixed = ", ".join(name for name in FIXED if name in chosen)
    if fixed:
        raise InvalidInput(f"{fixed} must be as in run {run} to extend it: leave it out, or fork the run")
    return from_preset(overlaid(config.model_dump(mode="json"), chosen) | {"first_epoch": done})
