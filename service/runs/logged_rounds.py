"""Rounds as the round log has them."""

from collections.abc import Iterable

from service.rounds.plan import Plan, Round
from service.runs.log import Entry


def logged_dispersions(entries: Iterable[Entry]) -> dict[int, float]:
    """The dispersion of each round whose shards were apart, by the round's number."""
    apart = (entry for entry in entries if entry["kind"] == "round" and not entry.get("solo", True))
    return {entry["round"]: entry["dispersion"] for entry in apart}


def logged_digests(entry: Entry) -> tuple[str, str]:
    """What the round was logged with: `digest` and `theta_digest` of `service.rounds.train_state.TrainState`."""
    return entry["digest"], entry.get("theta_digest", "")


def logged_round(entry: Entry, plan: Plan) -> Round:
    """The round that an entry is about. Older logs don't say which rounds are solo, but the plan does."""
    numbers = {"number": entry["round"], **{name: entry[name] for name in ("epoch", "first", "last", "shards")}}
    return Round(**numbers, solo=entry["solo"] if "solo" in entry else plan.is_solo(entry["epoch"], entry["first"]))
