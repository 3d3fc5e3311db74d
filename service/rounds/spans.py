"""Spans: all shards of several rounds as one task, for a worker, or threads of one process, with a cluster to itself.

    a task for each shard      | shard 0 | shard 1 |      | shard 0 | shard 1 |      ...
    one task for a span        | round 0, averaged | round 1, averaged | ... |

Shards are computed and summed in the same order either way, so the grain can't change a bit. A span saves messages, and
an engine that averages where it computes (`Engine.run_rounds`) saves the way between device and host.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from time import time

from ops.engines.base import AveragingRule, Floats, RoundSteps
from ops.engines.base import RoundResult as EngineResult
from service.rounds.averaging import divergence_of, tree_total
from service.rounds.job import Job, engine_of, training_data
from service.rounds.moving_average import moving_average
from service.rounds.plan import ROUNDS_AHEAD, Round
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import run_round
from service.rounds.shard_update import Pace, RoundStats
from service.rounds.steps import steps_of
from service.rounds.strategies.base import averaging_rule
from service.rounds.tasks import RoundResult
from service.rounds.threads import rounds_on_threads
from service.rounds.train_state import TrainState, parameters_digest


@dataclass(frozen=True, eq=False)
class SpanResult:
    """What a span came to: enough for the next one to begin.

    Attributes:
        results: of its rounds, in order. The last one has the state after it; those before may lack it.
        schedule: which rounds follow.
    """

    results: tuple[RoundResult, ...]
    schedule: RoundSchedule

    @property
    def state(self) -> TrainState:
        """The state after the span."""
        state = self.results[-1].state
        assert state is not None, "the last round of a span has its state"
        return state


@dataclass(frozen=True, eq=False)
class SpanStart:
    """Where the first span begins.

    Attributes:
        state: the state.
        first: the first round.
        schedule: which rounds follow.
    """

    state: TrainState
    first: Round
    schedule: RoundSchedule


def run_span(
    job: Job, before: SpanStart | SpanResult, rounds: int, worker: str = "", threads: int = 1
) -> SpanResult | None:
    """Compute the next rounds of a job, one after another.

    Args:
        job: the training.
        before: where to begin, or the span before.
        rounds: how many; fewer where the run ends. A device, which hands over one state a call, goes on to the end of
            an epoch, if that takes no more than as many again.
        worker: the address of the worker that this runs on, which is noted beside how fast it was.
        threads: how many shards are computed side by side on a CPU.

    Returns:
        What the rounds came to; None where the span before ended the run.
    """
    schedule = before.schedule.newest()
    first = before.first if isinstance(before, SpanStart) else schedule.after(before.results[-1].round)
    if first is None:
        return None
    rule = averaging_rule(job.strategy)
    if rule is not None and _averages_itself(job):
        results = _on_device(job, before.state, first, schedule, rounds, rule, worker)
    elif threads > 1:
        results = rounds_on_threads(job, before.state, first, schedule, rounds, worker, threads)
    else:
        results = _on_host(job, before.state, first, schedule, rounds, worker)
    done = list(results)
    return SpanResult((*(drop_mid_epoch_state(job, result) for result in done[:-1]), done[-1]), schedule)


def drop_mid_epoch_state(job: Job, result: RoundResult) -> RoundResult:
    """A result without its state, unless its round ends an epoch, where a checkpoint is due."""
    return result if job.plan.ends_epoch(result.round) else replace(result, state=None)


def _averages_itself(job: Job) -> bool:
    """Whether it pays to leave averages to the engine: on a CPU it would take them here as well."""
    return job.choice.device != "cpu"


def _on_host(
    job: Job, state: TrainState, first: Round, schedule: RoundSchedule, rounds: int, worker: str
) -> Iterator[RoundResult]:
    """Any strategy: averages as `service.rounds.averaging` works them out."""
    for round_ in islice(_following(first, schedule), rounds):
        result = run_round(job, state, round_, worker)
        schedule.note(round_, result.measured)
        assert result.state is not None
        state = result.state
        yield result


def _on_device(
    job: Job, state: TrainState, first: Round, schedule: RoundSchedule, rounds: int, rule: AveragingRule, worker: str
) -> Iterator[RoundResult]:
    """A strategy whose averages the engine takes itself. Once shards are apart, its intervals are known beforehand.

    How long a task goes on alone may depend on what was measured, so no more rounds than are known begin alone.
    """
    most, rounds = (ROUNDS_AHEAD, min(rounds, ROUNDS_AHEAD)) if first.solo else (2 * rounds, rounds)
    planned = _to_epoch_end(job, list(islice(_following(first, schedule), most)), rounds)
    engine, data = engine_of(job), training_data(job)
    replica, outer, ema = state.replica, state.outer, state.ema
    for part in _by_epoch(job, planned):  # the engine hands over one state a call, and each epoch ends with one
        steps = (_round_steps(job, round_, rule) for round_ in part)
        for round_, result in zip(part, engine.run_rounds(replica, outer, data, steps), strict=True):
            ema = moving_average(job, round_, ema, result.theta)
            converted = _converted(round_, result, ema, worker)
            schedule.note(round_, converted.measured)
            yield converted
        replica, outer = result.end


def _following(first: Round, schedule: RoundSchedule) -> Iterator[Round]:
    """A round and those after it, one by one: what was measured in one may decide how long a later one is."""
    next_round: Round | None = first
    while next_round is not None:
        yield next_round
        next_round = schedule.after(next_round)


def _to_epoch_end(job: Job, rounds: list[Round], count: int) -> list[Round]:
    """The first `count` rounds, and those after them up to the end of an epoch, if that is among the rounds."""
    ends = [number for number in range(count, len(rounds) + 1) if job.plan.ends_epoch(rounds[number - 1])]
    return rounds[: ends[0] if ends else count]


def _by_epoch(job: Job, rounds: list[Round]) -> Iterator[list[Round]]:
    """Rounds in parts of which each but the last ends an epoch."""
    part: list[Round] = []
    for round_ in rounds:
        part.append(round_)
        if job.plan.ends_epoch(round_):
            yield part
            part = []
    if part:
        yield part


def _round_steps(job: Job, round_: Round, rule: AveragingRule) -> RoundSteps:
    shards = [steps_of(job, round_, shard) for shard in range(round_.shards)]
    return RoundSteps(shards, AveragingRule() if job.averages_plainly(round_) else rule)


def _converted(round_: Round, result: EngineResult, ema: Floats | None, worker: str) -> RoundResult:
    """An engine's result as that of a round, with what the log and the schedule need."""
    stats = tree_total(_shard_stats(result, worker))
    apart = divergence_of(stats, result.length, result.travelled, round_.last - round_.first)
    state = None if result.velocity is None or result.outer is None else TrainState(*result.end, ema)
    theta_digest = parameters_digest(result.theta)
    if ema is None:
        return RoundResult.of(round_, stats, apart, digest=theta_digest, theta_digest="", state=state)
    return RoundResult.of(round_, stats, apart, digest=parameters_digest(ema), theta_digest=theta_digest, state=state)


def _shard_stats(result: EngineResult, worker: str) -> Iterable[RoundStats]:
    total, ended = sum(result.examples), time()
    pace = Pace(result.seconds / max(total, 1), worker)
    shards = zip(result.examples, result.losses, result.correct, result.distances, strict=True)
    for examples, loss, correct, distance in shards:
        yield RoundStats(examples, loss, correct, examples * distance, pace.example_s * examples, ended, pace, pace)
