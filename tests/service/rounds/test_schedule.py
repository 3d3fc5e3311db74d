from dataclasses import dataclass

from service.rounds.plan import Measured, Plan
from service.rounds.schedule import RoundSchedule
from service.rounds.strategies import Interval, Progress
from service.rounds.strategies.fedavg import FedAvg


@dataclass(frozen=True)
class AsMeasured(FedAvg):
    """An interval of as many steps as a dispersion says, else a loss, else of one; the first two are taken alone."""

    def interval(self, progress: Progress) -> Interval:
        if progress.step < 2:
            return Interval(1, solo=True)
        return Interval(int(progress.dispersion or progress.loss or 1))


PLAN = Plan(examples=100, epochs=1, batch_size=1, seed=0, shards=2, strategy=AsMeasured(1))


def test_a_round_is_as_long_as_what_was_measured_four_rounds_before_says():
    schedule, rounds = RoundSchedule(PLAN), [PLAN.first_round()]
    while len(rounds) < 10 and (following := schedule.after(rounds[-1])):
        rounds.append(following)
        if len(rounds) > 4:
            done = rounds[-4]  # four are on their way
            schedule.note(done, Measured(9.0, None if done.solo else 2.0 + done.number))
    # round 1 is the first to be noted; it was taken alone and has nothing but a loss
    assert [round_.last - round_.first for round_ in rounds] == [1, 1, 1, 1, 1, 9, 4, 5, 6, 7]
    assert [round_.solo for round_ in rounds] == [True] * 2 + [False] * 8


def test_a_schedule_goes_on_from_what_was_measured_before():
    third = PLAN.round_after(PLAN.round_after(PLAN.first_round()))
    assert third is not None
    assert third.number == 2
    rounds = [third]
    schedule = RoundSchedule(PLAN, {2: Measured(0.5, 3.0), 3: Measured(0.5, 7.0)})
    while rounds[-1].number < 7:
        following = schedule.after(rounds[-1])
        assert following is not None
        rounds.append(following)
    assert [round_.last - round_.first for round_ in rounds] == [1, 1, 1, 1, 3, 7]


def test_a_copy_learns_nothing_of_the_original_and_the_other_way_round():
    original = RoundSchedule(PLAN, {2: Measured(0.5, 3.0)})
    copy = original.copy()
    done = [round_ for round_ in PLAN.rounds() if round_.number in (3, 5, 6)]
    original.note(done[0], Measured(0.5, 9.0))
    assert copy.after(done[2]) != original.after(done[2])
    assert copy.after(done[1]) == original.after(done[1])


def test_a_schedule_begins_with_the_first_round_and_ends_with_the_last():
    schedule = RoundSchedule(PLAN)
    assert schedule.after(None) == PLAN.first_round()
    assert schedule.after(list(PLAN.rounds())[-1]) is None


def test_the_newest_of_a_schedule_leads_to_the_same_rounds():
    rounds = [PLAN.first_round()]
    schedule = RoundSchedule(PLAN)
    while following := schedule.after(rounds[-1]):
        schedule.note(rounds[-1], Measured(2.0, 1.0 + rounds[-1].number % 3))
        assert schedule.newest().after(following) == schedule.after(following)
        rounds.append(following)
    assert len(rounds) > 20
    assert len(schedule.newest()._measured) <= 4
