"""One trial of a sweep, from nothing or from where it stood, to its figures."""

from threading import Event

from service.cluster.dask_executor import connected_executor
from service.errors import SweepError
from service.home import Home
from service.runs import Entry
from service.search.sweep.folder import SweepFolder
from service.search.sweep.result import Result
from service.search.sweep.spec import Trial
from service.training.evaluate import evaluate_trained
from service.training.resume import resume_run
from service.training.start import start_run


def run_trial(home: Home, address: str, folder: SweepFolder, trial: Trial, stop: Event) -> Result:
    """Train a trial's configuration as a run, measure what it leads to, and write down what came out.

    A run that exists already is continued. stop: once it is set, the trial ends after the round at hand with a
    SweepError, and can be continued later.
    """
    run = folder.run_of(trial.number)

    def watch(_: Entry | None = None) -> None:
        if stop.is_set():
            raise SweepError(f"sweep {folder.name} was stopped; start it again to continue")

    watch()
    begun = (home.runs / run).is_dir()
    with connected_executor(address) as executor:
        if begun:
            trained = resume_run(home, executor, run, watch)
        else:
            trained = start_run(home, executor, run, trial.config, watch)
        evaluations = evaluate_trained(home, executor, trained)
    last = evaluations[trained.epoch]
    held = last.validation
    result = Result(
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
    folder.keep(result)
    return result
