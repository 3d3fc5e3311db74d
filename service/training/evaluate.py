"""Measures a run's parameters on examples that it was not trained on, where the data is."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace

from ops.engines.base import Floats
from service.data import Arrays, read
from service.errors import RunError
from service.home import Home
from service.rounds.executor import Executor
from service.rounds.job import Job, engine_of, split_of
from service.rounds.worker_cache import process_cache
from service.runs import RunFolder, checkpoints
from service.training.history import epochs_of
from service.training.metrics import Evaluation, measure, score
from service.training.resume import reopen_run


def evaluate_run(home: Home, executor: Executor, run: str) -> dict[int, Evaluation]:
    """Evaluate a run after each epoch whose checkpoint was kept.

    Args:
        home: where the run is.
        executor: what computes the evaluations.
        run: the run's name.

    Returns:
        The evaluations by epoch. The last is the trained model's.

    Raises:
        RunError: no checkpoint is left, or the data changed since.
        ClusterError: scheduler or workers stay away.
    """
    folder = RunFolder.open(home.runs, run)
    job = reopen_run(home, executor, folder)
    parameters = dict(_parameters(folder))
    if not parameters:
        raise RunError(f"run {run} has no checkpoint to evaluate yet")
    evaluations = executor.map(evaluate, [(job, theta) for theta in parameters.values()])
    return dict(zip(parameters, evaluations, strict=True))


def evaluate(job: Job, theta: Floats) -> Evaluation:
    """Evaluate parameters on the test examples, and on the training examples that are held out. Runs on a worker."""
    engine = engine_of(job)
    images, labels = read(job.data.path, "test", job.data.digest)
    evaluation = measure(engine.predict(theta, images), labels, job.data.class_names)
    if not job.config.holdout:
        return evaluation
    images, labels = _held_out(job)
    return replace(evaluation, validation=score(engine.predict(theta, images), labels))


def _held_out(job: Job) -> Arrays:
    """The training examples that are held out."""
    images, labels = process_cache().examples(job.data)
    numbers = split_of(job).held_out
    return images[numbers], labels[numbers]


def _parameters(folder: RunFolder) -> Iterator[tuple[int, Floats]]:
    """The parameters after each epoch, where a whole checkpoint of them is left."""
    for entry in epochs_of(folder):
        with suppress(RunError):
            checkpoint = checkpoints.read(folder.checkpoints / str(entry["rounds_done"]))
            yield entry["epoch"], checkpoint.state.replica.theta
