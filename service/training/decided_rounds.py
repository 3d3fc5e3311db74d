"""The rounds of a run that take place. A run with patience may end early, which is known some time later.

An epoch is evaluated while the next ones are computed. Rounds of an epoch that may be one too many are held back until
the evaluations say whether it takes place; then they go on to the log and the checkpoints, or are dropped. So nobody
waits for an evaluation, and the log never has a round too many.
"""

from collections import deque
from collections.abc import Iterator
from contextlib import closing

from service.errors import Cancelled
from service.rounds.executor import ClusterEvent, Executor
from service.rounds.job import Job
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.spans import drop_mid_epoch_state
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState
from service.runs import Entry, Run
from service.training.live_evaluation import LiveEvaluation

HELD_BYTES = 256 << 20
"""Once the states at the ends of held epochs take so much memory, the run waits for its evaluations."""


def decided_rounds(
    executor: Executor,
    run: Run,
    job: Job,
    evaluation: LiveEvaluation,
    state: TrainState,
    first: Round | None,
    schedule: RoundSchedule,
) -> Iterator[RoundResult | ClusterEvent | Entry]:
    """Compute the rounds from `first` to the one that the run ends with.

    Args:
        executor: computes them.
        run: the run, whose requests are answered while rounds are held back.
        job: the training.
        evaluation: says which epoch is the last. Whoever takes the results adds the ends of epochs to it.
        state: what `first` starts from.
        first: the first round; None where the run is at its end already.
        schedule: which round follows which.

    Yields:
        Each round's result, once it is certain that the round takes place, the cluster's events, and the lines of the
        log that evaluations led to.

    Raises:
        Cancelled: the run was to stop while rounds were held back.
    """
    if first and evaluation.ends_here and first.epoch > evaluation.last_epoch:
        first = None
    held: deque[RoundResult] = deque()
    while first:
        with closing(executor.run_rounds(job, state, first, schedule)) as results:
            first = None
            for result in results:
                yield from evaluation.collect()
                if isinstance(result, ClusterEvent):
                    yield result
                    continue
                held.append(result)
                yield from _released(held, evaluation)
                if not held:
                    continue
                if evaluation.ends_here:
                    return
                _raise_if_requested(run, held[0])
                held[-1] = drop_mid_epoch_state(job, result)
                if held[-1].state and _num_bytes(held) > HELD_BYTES:
                    state, first = held[-1].state, schedule.after(result.round)
                    break
        while held:
            yield from evaluation.finish()
            yield from _released(held, evaluation)
            if evaluation.ends_here:
                return


def _released(held: deque[RoundResult], evaluation: LiveEvaluation) -> Iterator[RoundResult]:
    """Take out the rounds that are certain to take place. Each one that ends an epoch may decide on later ones."""
    while held and held[0].round.epoch <= evaluation.last_epoch:
        yield held.popleft()


def _raise_if_requested(run: Run, first_held: RoundResult) -> None:
    request = run.requested()
    if request:
        raise Cancelled(run.name, request, first_held.round.number - 1)


def _num_bytes(held: deque[RoundResult]) -> int:
    return sum(result.state.nbytes for result in held if result.state)
