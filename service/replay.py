"""A run without a cluster: the same pure functions, called one after another in this process."""

from collections.abc import Iterator, Sequence

from service.averaging import FAN_IN, Contribution, Partial, State
from service.course import Course
from service.job import Job
from service.plan import Round
from service.rounds import Report, local_round, partial_sum, report


def replay(job: Job, start: State, first: Round | None) -> Iterator[Report]:
    """The reports of all rounds from `first` on, each with its state. The same bits as on a cluster."""
    state, following, course = start, first, Course(job.plan, {})
    while following is not None:
        done = replay_round(job, state, following)
        yield done
        if done.state is None:
            raise AssertionError("the report was asked for with its state")
        course.note(following, done.dispersion)
        state, following = done.state, course.after(following)


def replay_round(job: Job, start: State, round_: Round) -> Report:
    """One round's report, with the state after it."""
    parts: Sequence[Contribution | Partial] = [local_round(job, round_, shard, start) for shard in range(round_.shards)]
    while len(parts) > FAN_IN:
        parts = [partial_sum(parts[low : low + FAN_IN]) for low in range(0, len(parts), FAN_IN)]
    return report(job, (round_, parts), True)
