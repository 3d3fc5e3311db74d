"""Was a run what it says it was? Its rounds computed again, in this process, and held against its log."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from service.averaging import State
from service.errors import NotFound, RunError
from service.job import Job
from service.plan import Round
from service.replay import replay_round
from service.runs import RunFolder, checkpoints


@dataclass(frozen=True)
class Verdict:
    """One round computed again. same: whether its parameters have the digest that was logged."""

    round: int
    epoch: int
    logged: str
    computed: str

    @property
    def same(self) -> bool:
        return self.logged == self.computed


def verify_run(folder: RunFolder, job: Job, only: int | None = None) -> Iterator[Verdict]:
    """Compute the run's rounds again from its first weights, or one round from the state that led to it.

    Stops after the first round that differs, since all later ones would. Raises NotFound for a round that the log
    doesn't have, RunError where its examples are not those of the plan.
    """
    logged = {entry["round"]: entry for entry in folder.entries() if entry["kind"] == "round"}
    if only is not None and only not in logged:
        raise NotFound(f"run {folder.name} has no round {only}: the log has {len(logged)} rounds")
    if not logged:
        raise RunError(f"run {folder.name} has no rounds to verify yet")
    state, following = _nearest(folder, job, only or 0)
    last = max(logged) if only is None else only
    while following is not None and following.number <= last:
        done = replay_round(job, state, following)
        entry = logged.get(following.number)
        if entry is None or done.state is None:
            raise RunError(f"the log of run {folder.name} lacks round {following.number}")
        if entry["examples"] != done.examples:
            raise RunError(f"round {following.number} used {entry['examples']} examples, planned were {done.examples}")
        if only is None or following.number == only:
            verdict = Verdict(following.number, following.epoch, entry["digest"], done.digest)
            yield verdict
            if not verdict.same:
                return
        state, following = done.state, job.plan.round_after(following)


def examples_once(job: Job, epoch: int) -> bool:
    """Whether the plan uses every example exactly once in an epoch."""
    seen = np.zeros(job.plan.examples, np.int64)
    for round_ in job.plan.rounds():
        if round_.epoch == epoch:
            for shard in range(round_.shards):
                np.add.at(seen, job.plan.batches(round_, shard)[0], 1)
    return bool((seen == 1).all())


def _nearest(folder: RunFolder, job: Job, number: int) -> tuple[State, Round | None]:
    """A state to compute round `number` from: the newest checkpoint before it, or the first weights."""
    for done in checkpoints.numbers(folder.checkpoints):
        if done <= number:
            try:
                checkpoint = checkpoints.read(folder.checkpoints / str(done))
            except RunError:
                continue
            return checkpoint.state, job.plan.round_after(checkpoint.round)
    return folder.start() or job.initial_state(), job.plan.first_round()
