"""Rounds as the round log has them."""

from collections.abc import Iterable

from service.rounds.plan import Measured, Plan, Round
from service.runs.log import Entry


def logged_measurements(entries: Iterable[Entry]) -> dict[int, Measured]:
    """What was measured in each round that later intervals may depend on, by the round's number."""
    return {entry["round"]: _measured(entry) for entry in entries if entry["kind"] == "round"}


def logged_digests(entry: Entry) -> tuple[str, str]:
    """What the round was logged with: `digest` and `theta_digest` of `service.rounds.train_state.TrainState`."""
    return entry["digest"], entry.get("theta_digest", "")


def logged_round(entry: Entry, plan: Plan) -> Round:
    """The round that an entry is about. Older logs don't say which rounds are solo, but the plan does."""
    numbers = {"number": entry["round"], **{name: entry[name] for name in ("epoch", "first", "last", "shards")}}
    return Round(**numbers, solo=entry["solo"] if "solo" in entry else plan.is_solo(entry["epoch"], entry["first"]))


def _measured(entry: Entry) -> Measured:
    """See `logged_measurements`. Older logs don't say which rounds are solo, and have no dispersion."""
    return Measured(entry.get("loss"), None if entry.get("solo", True) else entry["dispersion"])
