"""One trial of a sweep with halving, to the end of a rung: its run pauses there, and goes on in the next one."""

from dataclasses import asdict
from threading import Event

from service.cluster.dask_executor import connected_executor
from service.errors import Cancelled
from service.home import Home
from service.rounds.executor import Executor
from service.runs import Entry, find_run, run_at
from service.search.sweep.folder import SweepFolder
from service.search.sweep.result import Result
from service.search.sweep.spec import Trial
from service.search.sweep.trial import begin_or_resume, stopped_by, trial_result
from service.training.epoch_scores import EpochScores, score_epoch
from service.training.history import epochs_of, scores_of
from service.training.resume import reopen_run


def run_rung(
    home: Home, address: str, folder: SweepFolder, trial: Trial, epochs: int, stop: Event, data_memory: int = 0
) -> Result:
    """Train a trial until it has so many epochs, unless it has, and write down what it is compared by.

    Args:
        home: where runs are.
        address: the scheduler's.
        folder: the sweep's.
        trial: the trial.
        epochs: the rung, counted from the trial's first epoch.
        stop: once it is set, the trial ends after the round at hand with a SweepError, and can be continued later.
        data_memory: see `service.rounds.job.Job`.
    """
    before = folder.results().get(trial.number)
    rungs = dict(before.rungs or {}) if before else {}
    if str(epochs) in rungs and before:
        return before
    if epochs == trial.config.epochs:
        result = trial_result(home, address, folder, trial, stop, data_memory)
    else:
        with connected_executor(address, data_memory) as executor:
            _train_until(home, executor, folder, trial, epochs, stop)
            result = _measured(home, executor, folder, trial, epochs)
    result = Result(**{**asdict(result), "rungs": rungs | {str(epochs): result.merit}})
    folder.keep(result)
    return result


def _train_until(home: Home, executor: Executor, folder: SweepFolder, trial: Trial, epochs: int, stop: Event) -> None:
    run = run_at(home.runs, folder.run_of(trial.number))
    watch_stop = stopped_by(folder, stop)

    def watch(entry: Entry) -> None:
        watch_stop(entry)
        if entry["kind"] == "epoch" and entry["epoch"] + 1 >= epochs:
            run.request("pause")

    if run.exists() and len(epochs_of(run)) >= epochs:
        return
    try:
        begin_or_resume(home, executor, run.name, trial, watch)
    except Cancelled:
        if len(epochs_of(run)) < epochs:
            raise


def _measured(home: Home, executor: Executor, folder: SweepFolder, trial: Trial, epochs: int) -> Result:
    """The figures of a trial after so many epochs."""
    run = find_run(home.runs, folder.run_of(trial.number))
    done = epochs_of(run)[:epochs]
    state = run.checkpoints.read(done[-1]["rounds_done"]).state
    scores: EpochScores | None = scores_of(run).get(epochs - 1)
    if scores is None:
        (scores,) = executor.map(score_epoch, [(reopen_run(home, executor, run), state.published)])
    assert scores.validation is not None, "halving needs examples that are held out"
    wall_s = sum(entry["wall_s"] for entry in done)
    return Result(
        trial=trial.number,
        run=run.name,
        changes=dict(sorted(trial.changes.items())),
        digest=state.digest,
        train_loss=done[-1]["train_loss"],
        train_accuracy=done[-1]["train_accuracy"],
        test_loss=scores.test.loss,
        test_accuracy=scores.test.accuracy,
        examples_per_s=sum(entry["examples"] for entry in done) / wall_s,
        wall_s=wall_s,
        validation_loss=scores.validation.loss,
        validation_accuracy=scores.validation.accuracy,
    )
