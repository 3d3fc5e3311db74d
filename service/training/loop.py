"""A run from its newest checkpoint to its end: the loop that keeps executor, log and checkpoints together."""

from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from math import isfinite
from time import monotonic
from typing import Any

import numpy as np

from ops.engines.base import Floats
from service.errors import AtelierError, Cancelled, Conflict, RunError
from service.rounds.executor import ClusterEvent, Executor
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.train_state import TrainState
from service.runs import Entry, Run
from service.runs.checkpoints import Checkpoint
from service.training.decided_rounds import decided_rounds
from service.training.divergence import diverged
from service.training.history import RunHistory, epochs_of, published_checkpoint, published_epoch
from service.training.live_evaluation import LiveEvaluation
from service.training.plateau import guessing_loss, plateau_notice
from service.training.thinning import keeps_all, thin_checkpoints

CHECKPOINT_SECONDS = 30
"""Within a long epoch, a checkpoint is written about this often."""

Watch = Callable[[Entry], None]
"""Called with each line of the round log as it is written."""


@dataclass(frozen=True)
class Trained:
    """What a training ended with.

    Attributes:
        run: the run's name.
        digest: SHA-256 of the parameters that are published.
        epoch: the epoch whose parameters are published, from 0: the last one, or the best.
        train_loss: of that epoch.
        train_accuracy: of that epoch.
        examples_per_s: the examples of all epochs over `wall_s`.
        wall_s: the time that the epochs took.
        workers: how many there were at the end that might take tasks.
        shards: how many the configuration says.
        engine: what executed the steps.
    """

    run: str
    digest: str
    epoch: int
    train_loss: float
    train_accuracy: float
    examples_per_s: float
    wall_s: float
    workers: int
    shards: int
    engine: str


def run_to_end(executor: Executor, run: Run, job: Job, watch: Watch) -> Trained:
    """Take a run to its end. See `advance`."""
    with closing(advance(executor, run, job)) as entries:
        for entry in entries:
            watch(entry)
    epochs = epochs_of(run)
    wall_s = sum(entry["wall_s"] for entry in epochs)
    published = published_epoch(run)
    return Trained(
        run=run.name,
        digest=published_checkpoint(run).state.digest,
        epoch=published["epoch"],
        train_loss=published["train_loss"],
        train_accuracy=published["train_accuracy"],
        examples_per_s=sum(entry["examples"] for entry in epochs) / wall_s,
        wall_s=wall_s,
        workers=executor.num_workers,
        shards=job.config.averaging.shards,
        engine=job.choice.engine,
    )


def advance(executor: Executor, run: Run, job: Job) -> Generator[Entry]:
    """Take a run from its newest whole checkpoint to its end.

    Rounds that the log has already are compared with it instead of being logged again. A finished run is left as it
    is, unless its last checkpoint is damaged: then that is computed again from the one before.

    Yields:
        Each line of the log, as it is written.

    Raises:
        Conflict: another process works on the run, or has taken it over while this one was paused.
        Cancelled: `runs cancel` or `runs pause` was called for it.
        RunError: a round comes out different from the log, or its loss is not finite; or the run has finished, and the
            line that says so has other digests than its rounds.
    """
    with run.held() as lease, run.open_log(lease) as log:
        run.clear_requests()
        run.checkpoints.clear_drafts()
        history = RunHistory(run, log)
        history.check_end(job.config)
        checkpoint = history.checkpoint_to_continue(job.config)
        rounds_done = checkpoint.round.number + 1 if checkpoint else 0
        if history.is_finished and rounds_done == history.num_rounds:
            return
        yield log.append("begin", rounds_done=rounds_done, lease=lease.number)
        try:
            yield from _advance(executor, run, job, history, checkpoint)
        except Cancelled as stop:
            yield log.append("end", outcome=stop.outcome)
            raise
        except Conflict:
            raise  # the log belongs to another process now
        except AtelierError as error:
            yield log.append("end", outcome="failed", why=str(error))
            raise


def _advance(
    executor: Executor,
    run: Run,
    job: Job,
    history: RunHistory,
    checkpoint: Checkpoint | None,
) -> Iterator[Entry]:
    state = checkpoint.state if checkpoint else first_state(run, job)
    schedule = RoundSchedule(job.plan, history.measurements())
    first = schedule.after(checkpoint.round if checkpoint else None)
    digest, saved_at, guessing = "", monotonic(), guessing_loss(job)
    has_mid_epoch = checkpoint is not None  # checkpoints: a process before this one may have left some
    if checkpoint and job.plan.ends_epoch(checkpoint.round):
        yield from history.add_epoch(checkpoint.round)
    with closing(LiveEvaluation(executor, job, history)) as evaluation:
        evaluation.add_logged(run)
        for result in decided_rounds(executor, run, job, evaluation, state, first, schedule):
            if isinstance(result, ClusterEvent):
                yield history.log.append("disturbed", why=result.why, round=result.round, tasks=result.tasks)
                continue
            if not isinstance(result, RoundResult):
                yield result
                continue
            _check_loss(run, job, result)
            digest = result.digest
            yield from history.add_round(result)
            request, is_epoch = run.requested(), job.plan.ends_epoch(result.round)
            is_due = is_epoch or request or monotonic() - saved_at > CHECKPOINT_SECONDS
            if result.state and is_due:
                examples = job.plan.examples_after(result.round)
                due = Checkpoint(result.round, examples, result.state)
                history.log.after(partial(run.checkpoints.write, due))
                saved_at, has_mid_epoch = monotonic(), has_mid_epoch or not is_epoch
            if is_epoch:
                yield from history.add_epoch(result.round, sync=result.state is not None)
                yield from _notice_plateau(job, history, guessing)
                evaluation.add(result.round.epoch, _theta(run, job, result))
                if has_mid_epoch or not keeps_all(job):
                    _thin(run, job, history)
                    has_mid_epoch = False
            if request and schedule.after(result.round):
                raise Cancelled(run.name, request, result.round.number)
        yield from evaluation.finish()
    if not keeps_all(job):
        _thin(run, job, history)
    yield history.log.append("end", outcome="finished", digest=digest or state.digest, **_end_values(job, history))


def _thin(run: Run, job: Job, history: RunHistory) -> None:
    """Remove the checkpoints that the run doesn't need any more, once those that it needs are there."""
    known = dict(history.epochs), dict(history.scores)
    history.log.after(partial(thin_checkpoints, run, job, *known))


def _notice_plateau(job: Job, history: RunHistory, guessing: float) -> Iterator[Entry]:
    """Log once that the loss is that of guessing."""
    if not history.plateau_is_noticed:
        notice = plateau_notice(list(history.epochs.values()), guessing, job.config, job.plan.steps_per_epoch)
        if notice:
            yield history.add_plateau(notice)


def first_state(run: Run, job: Job) -> TrainState:
    """The state that a run starts from. Raises RunError where it lost what it was to start from."""
    state, wanted = run.start(), run.facts().get("start_digest", "")
    if wanted and (state is None or state.digest != wanted):
        raise RunError(f"run {run.name} was to start from parameters {wanted[:12]}, which aren't there any more")
    return state or job.initial_state()


def _theta(run: Run, job: Job, result: RoundResult) -> Floats:
    """The parameters after an epoch. Raises RunError where the training diverged in its last step."""
    assert result.state is not None, "a round that ends an epoch brings its state"
    theta = result.state.published
    if not np.isfinite(theta).all():
        how = f"after round {result.round.number} parameters are no numbers any more"
        raise diverged(run.name, job.config, how)
    return theta


def _end_values(job: Job, history: RunHistory) -> dict[str, Any]:
    """What the last line of the log says besides the digest of the last epoch's parameters."""
    values: dict[str, Any] = {"examples": len(history.epochs) * job.plan.examples}
    if job.config.keep == "best":
        best = history.published_epoch(job.config)
        values |= {"best_epoch": best["epoch"], "best_digest": history.digest_after(best)}
    return values


def _check_loss(run: Run, job: Job, result: RoundResult) -> None:
    """Raise RunError where the training diverged."""
    if not isfinite(result.loss):
        raise diverged(run.name, job.config, f"the loss of round {result.round.number} is {result.loss}")
