"""One trial of a sweep, from nothing or from where it stood, to its figures."""

from threading import Event

from service.cluster.dask_executor import connected_executor
from service.errors import Conflict, SweepError
from service.home import Home
from service.rounds.executor import Executor
from service.runs import Entry, run_at
from service.search.sweep.folder import SweepFolder
from service.search.sweep.result import Result
from service.search.sweep.spec import Trial
from service.tracking.process import tracked
from service.training.evaluate import evaluate_trained
from service.training.loop import Trained, Watch
from service.training.resume import resume_run
from service.training.start import start_run


def run_trial(home: Home, address: str, folder: SweepFolder, trial: Trial, stop: Event, data_memory: int = 0) -> Result:
    """`trial_result`, and write down what came out."""
    result = trial_result(home, address, folder, trial, stop, data_memory)
    folder.keep(result)
    return result


def trial_result(
    home: Home, address: str, folder: SweepFolder, trial: Trial, stop: Event, data_memory: int = 0
) -> Result:
    """Train a trial's configuration as a run, and measure what it leads to.

    A run that exists already is continued.

    Args:
        home: where runs are.
        address: the scheduler's.
        folder: the sweep's.
        trial: the trial.
        stop: once it is set, the trial ends after the round at hand with a SweepError, and can be continued later.
        data_memory: see `service.rounds.job.Job`.
    """
    run, watch = folder.run_of(trial.number), stopped_by(folder, stop)
    with connected_executor(address, data_memory) as executor:
        trained = begin_or_resume(home, executor, run, trial, watch)
        evaluations = evaluate_trained(home, executor, trained)
    last = evaluations[trained.epoch]
    held = last.validation
    return Result(
        trial=trial.number,
        run=run,
        changes=dict(sorted(trial.changes.items())),
        digest=trained.digest,
        train_loss=trained.train_loss,
        train_accuracy=trained.train_accuracy,
        test_loss=last.loss,
        test_accuracy=last.accuracy,
        examples_per_s=trained.examples_per_s,
        wall_s=trained.wall_s,
        validation_loss=held.loss if held else None,
        validation_accuracy=held.accuracy if held else None,
    )


def stopped_by(folder: SweepFolder, stop: Event) -> Watch:
    """What a trial's rounds are watched with: it raises SweepError once the sweep is stopped."""

    def watch(_: Entry | None = None) -> None:
        if stop.is_set():
            raise SweepError(f"sweep {folder.name} was stopped; start it again to continue")

    watch()
    return watch


def begin_or_resume(home: Home, executor: Executor, run: str, trial: Trial, watch: Watch) -> Trained:
    """Take a trial's run to its end, from wherever it is. Raises Conflict where another run has its name."""
    with tracked(home, run, trial.config):
        found = run_at(home.runs, run)
        if found.exists():
            if found.config() != trial.config:
                raise Conflict(
                    f"run {run} exists already, with another configuration than trial {trial.number}: choose another "
                    f"--id, or remove it with `atelier runs delete {run} --force`"
                )
            return resume_run(home, executor, run, watch)
        return start_run(home, executor, run, trial.config, watch)
