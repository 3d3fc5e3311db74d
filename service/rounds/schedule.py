"""The rounds of a run, one after the other, where what was measured in one may decide how long a later one is."""

from collections.abc import Mapping

from service.rounds.plan import NOTHING, ROUNDS_AHEAD, Measured, Plan, Round


class RoundSchedule:
    """A plan, with what was measured in the rounds that are done.

    The next round depends on the plan and on what was measured in the round `ROUNDS_AHEAD` before it. Both are the same
    whoever computes them, so everybody who follows a run comes by the same rounds.
    """

    def __init__(self, plan: Plan, measured: Mapping[int, Measured] | None = None) -> None:
        """Begin, or continue where some rounds are done.

        Args:
            plan: what the rounds follow from.
            measured: in the rounds that are done, by their numbers.
        """
        self._plan = plan
        self._measured = dict(measured or {})

    def note(self, done: Round, measured: Measured) -> None:
        """Remember what was measured in a round."""
        self._measured[done.number] = measured

    def after(self, done: Round | None) -> Round | None:
        """The round that follows, or the first; None where the run ends."""
        if done is None:
            return self._plan.first_round()
        return self._plan.round_after(done, self._measured.get(done.number + 1 - ROUNDS_AHEAD, NOTHING))

    def copy(self) -> "RoundSchedule":
        """A schedule of its own, which knows the same so far."""
        return RoundSchedule(self._plan, self._measured)

    def newest(self) -> "RoundSchedule":
        """A schedule of its own, which knows as much as the rounds that follow depend on: it travels with tasks."""
        first = max(self._measured, default=0) + 1 - ROUNDS_AHEAD
        return RoundSchedule(self._plan, {number: each for number, each in self._measured.items() if number >= first})
