"""Measures a run's parameters on examples that it was not trained on, where the data is."""

from collections.abc import Collection, Iterator
from contextlib import suppress
from dataclasses import replace

from ops.engines.base import Floats
from service.errors import RunError
from service.home import Home
from service.rounds.executor import Executor
from service.rounds.job import Job
from service.runs import Run, find_run
from service.training.divergence import check_scores
from service.training.epoch_scores import EpochScores, held_out_parts, parts_for_test, predicted
from service.training.history import epochs_of, scores_of
from service.training.loop import Trained
from service.training.metrics import Evaluation, measure, score
from service.training.resume import reopen_run


def evaluate_run(home: Home, executor: Executor, run: str, *, without: Collection[int] = ()) -> dict[int, Evaluation]:
    """Evaluate a run after each epoch whose checkpoint was kept.

    Args:
        home: where the run is.
        executor: what computes the evaluations.
        run: the run's name.
        without: epochs to leave out.

    Returns:
        The evaluations by epoch.

    Raises:
        RunError: no checkpoint is left, or the data changed since.
        ClusterError: scheduler or workers stay away.
    """
    found = find_run(home.runs, run)
    job = reopen_run(home, executor, found)
    parameters = dict(_parameters(found, without))
    if not parameters:
        raise RunError(f"run {run} has no checkpoint to evaluate yet")
    evaluations = executor.map(evaluate, [(job, theta) for theta in parameters.values()])
    by_epoch = dict(zip(parameters, evaluations, strict=True))
    for epoch, evaluation in by_epoch.items():
        check_scores(run, job.config, epoch, EpochScores.of(evaluation))
    return by_epoch


def evaluate_trained(home: Home, executor: Executor, trained: Trained) -> dict[int, Evaluation]:
    """Evaluate the published epoch of a run, and the other ones that were not evaluated while it trained.

    Args:
        home: where the run is.
        executor: what computes the evaluations.
        trained: what the training ended with.

    Returns:
        The evaluations by epoch.

    Raises:
        RunError: a checkpoint is lost, or the data changed since.
        ClusterError: scheduler or workers stay away.
    """
    run = find_run(home.runs, trained.run)
    return evaluate_run(home, executor, trained.run, without=scores_of(run).keys() - {trained.epoch})


def evaluate(job: Job, theta: Floats) -> Evaluation:
    """Evaluate parameters on the test examples, and on the training examples that are held out. Runs on a worker."""
    evaluation = measure(*predicted(job, theta, parts_for_test(job)), job.data.class_names)
    if not job.config.holdout:
        return evaluation
    return replace(evaluation, validation=score(*predicted(job, theta, held_out_parts(job))))


def _parameters(run: Run, without: Collection[int]) -> Iterator[tuple[int, Floats]]:
    """The parameters after each epoch, where a whole checkpoint of them is left."""
    for entry in epochs_of(run):
        if entry["epoch"] in without:
            continue
        with suppress(RunError):
            checkpoint = run.checkpoints.read(entry["rounds_done"])
            yield entry["epoch"], checkpoint.state.published
