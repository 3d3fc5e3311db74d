"""The rounds of a run, one after the other, where what was measured in one may decide how long a later one is."""

from collections.abc import Mapping

from service.rounds.plan import LAG, Plan, Round


class RoundSchedule:
    """A plan on its way: it knows the dispersion of the rounds that are done, by their numbers.

    The next round depends on the plan and on the dispersion of the round `LAG` before it, both of which are the same
    whoever computes them, so that everybody who follows a run comes by the same rounds.
    """

    def __init__(self, plan: Plan, seen: Mapping[int, float] | None = None) -> None:
        self._plan = plan
        self._seen = dict(seen or {})

    def note(self, done: Round, dispersion: float) -> None:
        """Take in what a round came to. A solo round has nothing that could drift apart."""
        if not done.solo:
            self._seen[done.number] = dispersion

    def after(self, done: Round | None) -> Round | None:
        """The round that follows, or the first; None where the run ends."""
        if done is None:
            return self._plan.first_round()
        return self._plan.round_after(done, self._seen.get(done.number + 1 - LAG))
