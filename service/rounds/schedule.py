"""The rounds of a run, one after the other, where what was measured in one may decide how long a later one is."""

from collections.abc import Iterable, Mapping

from service.rounds.plan import LAG, Plan, Round
from service.runs import Entry


class RoundSchedule:
    """A plan on its way: it knows the dispersion of the rounds that are done, by their numbers.

    The next round depends on the plan and on the dispersion of the round `LAG` before it, both of which are the same
    whoever computes them, so that everybody who follows a run comes by the same rounds.
    """

    def __init__(self, plan: Plan, seen: Mapping[int, float]) -> None:
        self._plan = plan
        self._seen = dict(seen)

    def note(self, done: Round, dispersion: float) -> None:
        """Take in what a round came to. A solo round has nothing that could drift apart."""
        if not done.solo:
            self._seen[done.number] = dispersion

    def after(self, done: Round | None) -> Round | None:
        """The round that follows, or the first; None where the run ends."""
        if done is None:
            return self._plan.first_round()
        return self._plan.round_after(done, self._seen.get(done.number + 1 - LAG))


def dispersions(entries: Iterable[Entry]) -> dict[int, float]:
    """What a round log says of the rounds whose shards were apart, by their numbers."""
    apart = (entry for entry in entries if entry["kind"] == "round" and not entry.get("solo", True))
    return {entry["round"]: entry["dispersion"] for entry in apart}


def logged_round(entry: Entry, plan: Plan) -> Round:
    """The round that a line of a log tells of. Older logs don't say which rounds are solo, but the plan does."""
    alone = entry["epoch"] * plan.steps_per_epoch + entry["first"] < plan.solo_steps
    numbers = {"number": entry["round"], **{name: entry[name] for name in ("epoch", "first", "last", "shards")}}
    return Round(**numbers, solo=entry.get("solo", alone))
