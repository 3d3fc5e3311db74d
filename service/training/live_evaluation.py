"""Epochs are evaluated while the next ones are computed, on the same cluster; the round log gets the figures."""

from collections.abc import Iterator
from contextlib import suppress

from ops.engines.base import Floats
from service.errors import RunError
from service.rounds.executor import BackgroundCalls, Executor
from service.rounds.job import Job
from service.runs import Entry, Run
from service.training.divergence import check_scores
from service.training.early_stopping import first_unmeasured, last_epoch
from service.training.epoch_scores import EpochScores, score_epoch
from service.training.history import RunHistory
from service.training.thinning import evaluates_epochs

AT_A_TIME = 2
"""How many epochs are with the cluster at a time. Their tasks take their turn among those of the rounds."""


class LiveEvaluation:
    """Evaluates the epochs of a run while it trains.

    Losing an evaluation with its worker or its scheduler costs nothing but its time: it is computed again.
    """

    def __init__(self, executor: Executor, job: Job, history: RunHistory) -> None:
        """Begin with nothing to evaluate.

        Args:
            executor: computes the evaluations.
            job: the training.
            history: what its log has; figures are added to it.
        """
        self._executor = executor
        self._job = job
        self._history = history
        self._wanted = evaluates_epochs(job)
        self._waiting: dict[int, Floats] = {}
        self._calls: dict[int, BackgroundCalls[EpochScores]] = {}

    @property
    def last_epoch(self) -> int:
        """See `service.training.early_stopping.last_epoch`."""
        config = self._job.config
        return last_epoch(self._history.scores, config.epochs, config.patience, config.first_epoch)

    @property
    def ends_here(self) -> bool:
        """Whether it is certain that the run ends with `last_epoch`, before the configured end."""
        config, last = self._job.config, self.last_epoch
        return last < config.epochs - 1 and first_unmeasured(self._history.scores, config.first_epoch) > last

    def add(self, epoch: int, theta: Floats) -> None:
        """Have the parameters after an epoch evaluated, unless they are or will be."""
        if self._wanted and epoch not in self._history.scores:
            self._waiting.setdefault(epoch, theta)
            self._submit()

    def add_logged(self, run: Run) -> None:
        """Have the epochs evaluated that a process before this one left without figures."""
        if not self._wanted:
            return
        for epoch, rounds_done in self._history.unmeasured():
            with suppress(RunError):  # then it is computed again, if anything depends on it; see `RunHistory.start`
                self.add(epoch, run.checkpoints.read(rounds_done).state.published)

    def collect(self) -> Iterator[Entry]:
        """Log the figures that have arrived, in the order of the epochs."""
        while self._calls:
            epoch = min(self._calls)
            results = self._calls[epoch].poll()
            if results is None:
                return
            del self._calls[epoch]
            yield from self._log(epoch, results[0])
            self._submit()

    def finish(self) -> Iterator[Entry]:
        """Wait for all figures, and log them."""
        self.close()
        epochs = sorted(self._waiting)
        scores = self._executor.map(score_epoch, [(self._job, self._waiting[epoch]) for epoch in epochs])
        for epoch, found in zip(epochs, scores, strict=True):
            yield from self._log(epoch, found)

    def close(self) -> None:
        """Leave what is with the cluster."""
        for calls in self._calls.values():
            calls.cancel()
        self._calls.clear()

    def _submit(self) -> None:
        for epoch in sorted(self._waiting.keys() - self._calls.keys())[: AT_A_TIME - len(self._calls)]:
            self._calls[epoch] = self._executor.begin(score_epoch, [(self._job, self._waiting[epoch])])

    def _log(self, epoch: int, scores: EpochScores) -> Iterator[Entry]:
        check_scores(self._history.run_name, self._job.config, epoch, scores)
        del self._waiting[epoch]
        yield self._history.add_evaluation(epoch, scores)
