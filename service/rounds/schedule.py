"""The rounds of a run, one after the other, where what was measured in one may decide how long a later one is."""

from collections.abc import Mapping

from service.rounds.plan import ROUNDS_AHEAD, Plan, Round


class RoundSchedule:
    """A plan, with the dispersion of the rounds that are done.

    The next round depends on the plan and on the dispersion of the round `ROUNDS_AHEAD` before it. Both are the same
    whoever computes them, so everybody who follows a run comes by the same rounds.
    """

    def __init__(self, plan: Plan, dispersions: Mapping[int, float] | None = None) -> None:
        """Begin, or continue where some rounds are done.

        Args:
            plan: what the rounds follow from.
            dispersions: what was measured in the rounds that are done and whose shards were apart, by their numbers.
        """
        self._plan = plan
        self._dispersions = dict(dispersions or {})

    def note(self, done: Round, dispersion: float) -> None:
        """Remember what was measured in a round. One that a task took alone has nothing that could disperse."""
        if not done.solo:
            self._dispersions[done.number] = dispersion

    def after(self, done: Round | None) -> Round | None:
        """The round that follows, or the first; None where the run ends."""
        if done is None:
            return self._plan.first_round()
        return self._plan.round_after(done, self._dispersions.get(done.number + 1 - ROUNDS_AHEAD))

    def copy(self) -> "RoundSchedule":
        """A schedule of its own, which knows the same so far."""
        return RoundSchedule(self._plan, self._dispersions)
