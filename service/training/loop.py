"""A run from its first round to its last: the loop that keeps log, checkpoints and cluster together."""

import platform
from collections.abc import Generator, Iterator
from dataclasses import asdict
from importlib.metadata import version
from math import isfinite
from time import monotonic, time
from typing import Any

from ops.engines import Choice
from service import __version__
from service.cluster.connection import Cluster, settle_engine
from service.cluster.dask_executor import coordinate
from service.config import TrainConfig
from service.data import describe
from service.errors import AtelierError, Cancelled, RunError
from service.files import clear_drafts
from service.home import Home
from service.rounds.executor import ClusterEvent
from service.rounds.job import Job, network_for, step_config_for
from service.rounds.plan import Round
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.runs import Checkpoint, Entry, RoundLog, RunFolder, checkpoints
from service.runs.logged_rounds import logged_dispersions
from service.training.warm_start import FRESH, WarmStart

CHECKPOINT_SECONDS = 30
"""Within a long epoch, a checkpoint is written about this often."""

LIBRARIES = ("numpy", "numba", "dask", "distributed", "zarr")


def begin(
    home: Home, cluster: Cluster, config: TrainConfig, run: str, warm_start: WarmStart = FRESH
) -> tuple[RunFolder, Job]:
    """Put a new run on disk, with everything settled that decides its bits.

    Raises DataError, ClusterError, InvalidInput or OpsError where the run can't be, before anything is written.
    """
    data = describe(home.store(config.dataset))
    network, step_config = network_for(config, data), step_config_for(config)
    job = Job(config, data, settle_engine(cluster, config, network, step_config, data.path))
    start = warm_start.checkpoint(home, job)
    job.plan.first_round()
    folder = RunFolder.create(
        home.runs,
        run,
        config,
        start,
        **asdict(warm_start),
        start_digest=start.state.digest if start else "",
        data={**asdict(data), "path": str(data.path)},
        engine=asdict(job.choice),
        versions={"atelier": __version__, **{name: version(name) for name in LIBRARIES}},
        machine={"python": platform.python_version(), "processor": platform.machine()},
    )
    return folder, job


def recorded_job(home: Home, folder: RunFolder) -> Job:
    """The job of a run that was begun before. Raises RunError where its data changed since."""
    facts, config = folder.facts(), folder.config()
    data = describe(home.store(config.dataset))
    if data.digest != facts["data"]["digest"]:
        raise RunError(
            f"run {folder.name} was trained on data {facts['data']['digest'][:12]}, "
            f"but {data.path} now holds {data.digest[:12]}"
        )
    return Job(config, data, Choice(**facts["engine"]))


def reopen(home: Home, cluster: Cluster, folder: RunFolder) -> Job:
    """The same, once the cluster is known to have what the run began with.

    Raises RunError where the data changed, InvalidInput where no worker has the engine.
    """
    job = recorded_job(home, folder)
    pinned = job.config.model_copy(update={"engine": job.choice.engine, "device": job.choice.device})
    settle_engine(cluster, pinned, job.network, job.step_config, job.data.path)
    return job


def advance(cluster: Cluster, folder: RunFolder, job: Job) -> Generator[Entry]:
    """Take a run from its newest checkpoint to its end, yielding each line of the log as it is written.

    Rounds that the log knows from before are compared with it instead of being written again. Raises Conflict where
    another process works on the run, Cancelled where that was asked for, RunError where a round comes out different
    or its loss is no number any more.
    """
    with folder.held(), RoundLog(folder.log) as log:
        folder.clear_requests()
        clear_drafts(folder.checkpoints)
        ledger = _Ledger(folder, log)
        checkpoint = ledger.newest_checkpoint(job)
        if ledger.finished:
            return
        yield log.append("begin", rounds_done=checkpoint.round.number + 1 if checkpoint else 0)
        try:
            yield from _advance(cluster, folder, job, ledger, checkpoint)
        except Cancelled as stop:
            yield log.append("end", outcome=stop.outcome)
            raise
        except AtelierError as error:
            yield log.append("end", outcome="failed", why=str(error))
            raise


def final_state(folder: RunFolder) -> Checkpoint:
    """The state that a finished run ended in. Raises RunError where it isn't finished."""
    if folder.status() != "finished":
        raise RunError(f"run {folder.name} is not finished: it is {folder.status()}")
    return checkpoints.read(folder.checkpoints / str(checkpoints.numbers(folder.checkpoints)[0]))


def _advance(
    cluster: Cluster, folder: RunFolder, job: Job, ledger: "_Ledger", checkpoint: Checkpoint | None
) -> Iterator[Entry]:
    state = checkpoint.state if checkpoint else folder.start() or job.initial_state()
    schedule = RoundSchedule(job.plan, ledger.dispersions())
    following = schedule.after(checkpoint.round if checkpoint else None)
    digest, written = state.digest, monotonic()
    if checkpoint and _ends_epoch(job, checkpoint.round):
        yield from ledger.epoch(checkpoint.round)
    reports = coordinate(cluster, job, state, following, schedule)
    try:
        for report in reports:
            if isinstance(report, ClusterEvent):
                yield ledger.log.append("disturbed", why=report.why, round=report.round, tasks=report.tasks)
                continue
            if not isfinite(report.loss):
                raise RunError(
                    f"run {folder.name} diverged: the loss of round {report.round.number} is {report.loss}; "
                    f"train with a lower learning rate than {job.config.optimizer.lr:g}"
                )
            digest = report.digest
            yield from ledger.round(report)
            epoch_done = _ends_epoch(job, report.round)
            asked = folder.requested()
            if report.state and (epoch_done or asked or monotonic() - written > CHECKPOINT_SECONDS):
                checkpoints.write(
                    folder.checkpoints, Checkpoint(report.round, job.plan.examples_after(report.round), report.state)
                )
                written = monotonic()
            if epoch_done:
                yield from ledger.epoch(report.round)
            if asked and schedule.after(report.round):
                raise Cancelled(folder.name, asked, report.round.number)
        yield ledger.log.append("end", outcome="finished", digest=digest, examples=job.plan.epochs * job.plan.examples)
    finally:
        reports.close()


class _Ledger:
    """What the log says so far, and what is added to it."""

    def __init__(self, folder: RunFolder, log: RoundLog) -> None:
        self.log = log
        self._folder = folder
        self._rounds: dict[int, Entry] = {}
        self._epochs: set[int] = set()
        self.finished = False
        for entry in folder.entries():
            if entry["kind"] == "round":
                self._rounds[entry["round"]] = entry
            elif entry["kind"] == "epoch":
                self._epochs.add(entry["epoch"])
            self.finished = entry["kind"] == "end" and entry["outcome"] == "finished"
        self._begun = time()

    def newest_checkpoint(self, job: Job) -> Checkpoint | None:
        """The newest checkpoint that is whole and agrees with the log."""
        for number in checkpoints.numbers(self._folder.checkpoints):
            try:
                checkpoint = checkpoints.read(self._folder.checkpoints / str(number))
            except RunError:
                continue
            logged = self._rounds.get(checkpoint.round.number)
            if logged and logged["digest"] == checkpoint.state.digest:
                return checkpoint
        return None

    def dispersions(self) -> dict[int, float]:
        """What was measured of the rounds that are done, as far as their shards were apart."""
        return logged_dispersions(self._rounds.values())

    def round(self, report: RoundResult) -> Iterator[Entry]:
        """Write down a round that is new; hold one that was written down before against the log."""
        number = report.round.number
        before = self._rounds.get(number)
        if before is None:
            self._rounds[number] = self.log.append("round", **_round_values(report))
            yield self._rounds[number]
        elif before["digest"] != report.digest:
            raise RunError(
                f"round {number} came out as {report.digest[:12]}, but the log has {before['digest'][:12]}: "
                "the hardware, the libraries or the data are not those that the run began with"
            )

    def epoch(self, last: Round) -> Iterator[Entry]:
        """Sum up an epoch from its rounds, unless that was done before."""
        if last.epoch in self._epochs:
            return
        rounds = [entry for entry in self._rounds.values() if entry["epoch"] == last.epoch]
        examples = sum(entry["examples"] for entry in rounds)
        wall = self._seconds_of(last.epoch)
        self._epochs.add(last.epoch)
        yield self.log.append(
            "epoch",
            epoch=last.epoch,
            examples=examples,
            train_loss=sum(entry["loss"] * entry["examples"] for entry in rounds) / examples,
            train_accuracy=sum(entry["accuracy"] * entry["examples"] for entry in rounds) / examples,
            examples_per_s=examples / wall,
            wall_s=wall,
            rounds_done=last.number + 1,
        )

    def _seconds_of(self, epoch: int) -> float:
        """From the last step before an epoch, or the start of this process's work on the run, to its last step."""
        rounds = self._rounds.values()
        ended = max(entry["ended"] for entry in rounds if entry["epoch"] == epoch)
        marks = [self._begun, *(entry["ended"] for entry in rounds if entry["epoch"] < epoch)]
        first_s = sum(entry["step_s"] for entry in rounds if entry["epoch"] == epoch)
        return float(ended - max((mark for mark in marks if mark < ended), default=ended - first_s))


def _ends_epoch(job: Job, round_: Round) -> bool:
    return round_.last == job.plan.steps_per_epoch


def _round_values(report: RoundResult) -> dict[str, Any]:
    return {
        "round": report.round.number,
        "epoch": report.round.epoch,
        "first": report.round.first,
        "last": report.round.last,
        "shards": report.round.shards,
        "solo": report.round.solo,
        "examples": report.examples,
        "loss": report.loss,
        "accuracy": report.accuracy,
        "digest": report.digest,
        "drift": report.drift,
        "dispersion": report.dispersion,
        "step_s": report.seconds,
        "ended": report.ended,
    }
