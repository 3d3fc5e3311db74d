"""Was a run what it says it was? Its rounds are computed again in this process, and compared with its files."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from service.errors import NotFound, RunError
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.rounds.steps import batches_of
from service.rounds.tasks import RoundResult
from service.runs import Entry, Run
from service.runs.checkpoints import Checkpoint
from service.runs.logged_rounds import logged_digests, logged_measurements, logged_round
from service.training.early_stopping import best_epoch, last_epoch
from service.training.epoch_scores import EpochScores, score_epoch
from service.training.history import scores_of
from service.training.loop import first_state


@dataclass(frozen=True)
class RoundCheck:
    """One round computed again.

    Attributes:
        round: its number.
        epoch: the number of its epoch.
        logged: the digest of the parameters after it, as the log has it.
        computed: the digest that came out now.
        same_theta: whether the parameters came out as logged, where the digests are those of their moving average.
        same_scores: whether the figures of the epoch that ends here came out as the log has them; None where the log
            has none.
    """

    round: int
    epoch: int
    logged: str
    computed: str
    same_theta: bool = True
    same_scores: bool | None = None

    @property
    def same(self) -> bool:
        """Whether both digests are equal, and the parameters and figures too."""
        return self.logged == self.computed and self.same_theta and self.same_scores is not False


def verify_run(run: Run, job: Job, only: int | None = None) -> Iterator[RoundCheck]:
    """Compute a run's rounds again.

    Args:
        run: the run.
        job: its job.
        only: the number of the one round to compute, from the state that led to it; None for all, from the start.

    Yields:
        Each round. The first one that differs is the last, since all later ones would.

    Raises:
        NotFound: the log doesn't have that round.
        RunError: a round's examples are not those of the plan.
    """
    logged = {entry["round"]: entry for entry in run.entries() if entry["kind"] == "round"}
    if only is not None and only not in logged:
        raise NotFound(f"run {run.name} has no round {only}: the log has {len(logged)} rounds")
    if not logged:
        raise RunError(f"run {run.name} has no rounds to verify yet")
    scores = scores_of(run)
    checkpoint = _nearest(run, only or 0)
    state = checkpoint.state if checkpoint else first_state(run, job)
    before = checkpoint.round if checkpoint else None
    known = logged_measurements(entry for number, entry in logged.items() if before and number <= before.number)
    schedule = RoundSchedule(job.plan, known)
    last = max(logged) if only is None else only
    for result in SerialExecutor().run_rounds(job, state, schedule.after(before), schedule):
        planned = result.round
        entry = logged.get(planned.number)
        if entry is None:
            raise RunError(f"the log of run {run.name} lacks round {planned.number}")
        if entry["examples"] != result.examples or logged_round(entry, job.plan) != planned:
            raise RunError(
                f"round {planned.number} used {entry['examples']} examples in {logged_round(entry, job.plan)}, "
                f"planned were {result.examples} in {planned}"
            )
        if only is None or planned.number == only:
            check = RoundCheck(
                round=planned.number,
                epoch=planned.epoch,
                logged=entry["digest"],
                computed=result.digest,
                same_theta=logged_digests(entry) == (result.digest, result.theta_digest),
                same_scores=_same_scores(job, result, scores),
            )
            yield check
            if not check.same:
                return
        if planned.number == last:
            return


def _same_scores(job: Job, result: RoundResult, scores: Mapping[int, EpochScores]) -> bool | None:
    """Whether the epoch that ends with a round has the figures in the log; None where none ends, or there are none."""
    if not job.plan.ends_epoch(result.round) or result.round.epoch not in scores:
        return None
    assert result.state is not None, "rounds that this process computes have their states"
    return score_epoch(job, result.state.published) == scores[result.round.epoch]


def damages(run: Run) -> Iterator[str]:
    """What else is wrong with a run's files, one line each: its log's last line, and its checkpoints."""
    digests, states, epochs = {}, {}, {}
    for entry in run.entries():
        if entry["kind"] == "epoch":
            epochs[entry["epoch"]] = entry
        elif entry["kind"] == "round":
            digests[entry["round"]] = entry["digest"]
            states[entry["round"]] = logged_digests(entry)
        elif entry["kind"] == "end" and entry["outcome"] == "finished":
            final = digests[max(digests)] if digests else "none"
            if entry["digest"] != final:
                yield f"the log ends with digest {entry['digest'][:12]}, but its last round has {final[:12]}"
            yield from _wrong_choices(run, entry, digests, epochs)
    for number in reversed(run.checkpoints.numbers()):
        try:
            checkpoint = run.checkpoints.read(number)
        except RunError as error:
            yield str(error)
            continue
        found, logged = checkpoint.state.digests, states.get(checkpoint.round.number, ("none", ""))
        if found != logged:
            yield f"checkpoint {number} has digest {found[0][:12]}, but the log has {logged[0][:12]} for its round"


def _wrong_choices(run: Run, end: Entry, digests: Mapping[int, str], epochs: Mapping[int, Entry]) -> Iterator[str]:
    """What a run chose otherwise than its figures say: the epoch to end with, or to publish."""
    config, scores = run.config(), scores_of(run)
    last = last_epoch(scores, config.epochs, config.patience, config.first_epoch)
    if epochs and max(epochs) != last:
        yield f"the run ends after epoch {max(epochs) + 1}, but by its figures it would after epoch {last + 1}"
    if config.keep == "best":
        best = best_epoch(scores, config.first_epoch)
        digest = None if best is None or best not in epochs else digests.get(epochs[best]["rounds_done"] - 1)
        if (end.get("best_epoch"), end.get("best_digest")) != (best, digest):
            yield "the epoch that the log says is the best one is not the one with the best figures"


def examples_once(run: Run, job: Job, epoch: int) -> bool:
    """Whether the logged rounds of an epoch used every example exactly once; of one that isn't done, at most once."""
    seen = np.zeros(job.plan.examples, np.int16)
    logged = (logged_round(entry, job.plan) for entry in run.entries() if entry["kind"] == "round")
    rounds = [round_ for round_ in logged if round_.epoch == epoch]
    for round_ in rounds:
        for shard in range(round_.shards):
            np.add.at(seen, batches_of(job, round_, shard)[0], 1)
    is_done = any(round_.last == job.plan.steps_per_epoch for round_ in rounds)
    return bool((seen == 1 if is_done else seen <= 1).all())


def _nearest(run: Run, number: int) -> Checkpoint | None:
    """The newest whole checkpoint to compute round `number` from, if there is one."""
    for done in run.checkpoints.numbers():
        if done <= number:
            try:
                return run.checkpoints.read(done)
            except RunError:
                continue
    return None
