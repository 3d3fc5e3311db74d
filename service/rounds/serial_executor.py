"""A run without a cluster: the same pure functions, called one after another in this process."""

from collections.abc import Iterator, Sequence

from service.rounds.averaging import FAN_IN, PartialSum, ShardUpdate, TrainState
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult, local_round, partial_sum, report


def run_serial(job: Job, start: TrainState, first: Round | None) -> Iterator[RoundResult]:
    """The reports of all rounds from `first` on, each with its state. The same bits as on a cluster."""
    state, following, schedule = start, first, RoundSchedule(job.plan, {})
    while following is not None:
        done = run_round(job, state, following)
        yield done
        if done.state is None:
            raise AssertionError("the report was asked for with its state")
        schedule.note(following, done.dispersion)
        state, following = done.state, schedule.after(following)


def run_round(job: Job, start: TrainState, round_: Round) -> RoundResult:
    """One round's report, with the state after it."""
    parts: Sequence[ShardUpdate | PartialSum] = [
        local_round(job, round_, shard, start) for shard in range(round_.shards)
    ]
    while len(parts) > FAN_IN:
        parts = [partial_sum(parts[low : low + FAN_IN]) for low in range(0, len(parts), FAN_IN)]
    return report(job, (round_, parts), True)
