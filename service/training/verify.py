"""Was a run what it says it was? Its rounds are computed again in this process, and compared with its files."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.errors import NotFound, RunError
from service.rounds.job import Job
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder, checkpoints
from service.runs.checkpoints import Checkpoint
from service.runs.logged_rounds import logged_dispersions, logged_round


@dataclass(frozen=True)
class RoundCheck:
    """One round computed again.

    Attributes:
        round: its number.
        epoch: the number of its epoch.
        logged: the digest of the parameters after it, as the log has it.
        computed: the digest that came out now.
    """

    round: int
    epoch: int
    logged: str
    computed: str

    @property
    def same(self) -> bool:
        """Whether both digests are equal."""
        return self.logged == self.computed


def verify_run(folder: RunFolder, job: Job, only: int | None = None) -> Iterator[RoundCheck]:
    """Compute a run's rounds again.

    Args:
        folder: the run.
        job: its job.
        only: the number of the one round to compute, from the state that led to it; None for all, from the start.

    Yields:
        Each round. The first one that differs is the last, since all later ones would.

    Raises:
        NotFound: the log doesn't have that round.
        RunError: a round's examples are not those of the plan.
    """
    logged = {entry["round"]: entry for entry in folder.entries() if entry["kind"] == "round"}
    if only is not None and only not in logged:
        raise NotFound(f"run {folder.name} has no round {only}: the log has {len(logged)} rounds")
    if not logged:
        raise RunError(f"run {folder.name} has no rounds to verify yet")
    checkpoint = _nearest(folder, only or 0)
    state = checkpoint.state if checkpoint else folder.start() or job.initial_state()
    before = checkpoint.round if checkpoint else None
    known = logged_dispersions(entry for number, entry in logged.items() if before and number <= before.number)
    schedule = RoundSchedule(job.plan, known)
    last = max(logged) if only is None else only
    for result in SerialExecutor().run_rounds(job, state, schedule.after(before), schedule):
        planned = result.round
        entry = logged.get(planned.number)
        if entry is None:
            raise RunError(f"the log of run {folder.name} lacks round {planned.number}")
        if entry["examples"] != result.examples or logged_round(entry, job.plan) != planned:
            raise RunError(
                f"round {planned.number} used {entry['examples']} examples in {logged_round(entry, job.plan)}, "
                f"planned were {result.examples} in {planned}"
            )
        if only is None or planned.number == only:
            check = RoundCheck(planned.number, planned.epoch, entry["digest"], result.digest)
            yield check
            if not check.same:
                return
        if planned.number == last:
            return


def damages(folder: RunFolder) -> Iterator[str]:
    """What else is wrong with a run's files, one line each: its log's last line, and its checkpoints."""
    digests = {}
    for entry in folder.entries():
        if entry["kind"] == "round":
            digests[entry["round"]] = entry["digest"]
        elif entry["kind"] == "end" and entry["outcome"] == "finished":
            final = digests[max(digests)] if digests else "none"
            if entry["digest"] != final:
                yield f"the log ends with digest {entry['digest'][:12]}, but its last round has {final[:12]}"
    for number in reversed(checkpoints.numbers(folder.checkpoints)):
        try:
            checkpoint = checkpoints.read(folder.checkpoints / str(number))
        except RunError as error:
            yield str(error)
            continue
        found, logged = checkpoint.state.digest, digests.get(checkpoint.round.number, "none")
        if found != logged:
            yield f"checkpoint {number} has digest {found[:12]}, but the log has {logged[:12]} for its round"


def examples_once(folder: RunFolder, job: Job, epoch: int) -> bool:
    """Whether the logged rounds of an epoch used every example exactly once; of one that isn't done, at most once."""
    seen = np.zeros(job.plan.examples, np.int64)
    logged = (logged_round(entry, job.plan) for entry in folder.entries() if entry["kind"] == "round")
    rounds = [round_ for round_ in logged if round_.epoch == epoch]
    for round_ in rounds:
        for shard in range(round_.shards):
            np.add.at(seen, job.plan.batches(round_, shard)[0], 1)
    is_done = any(round_.last == job.plan.steps_per_epoch for round_ in rounds)
    return bool((seen == 1 if is_done else seen <= 1).all())


def _nearest(folder: RunFolder, number: int) -> Checkpoint | None:
    """The newest whole checkpoint to compute round `number` from, if there is one."""
    for done in checkpoints.numbers(folder.checkpoints):
        if done <= number:
            try:
                return checkpoints.read(folder.checkpoints / str(done))
            except RunError:
                continue
    return None
