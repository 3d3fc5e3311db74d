"""What a run's log says so far, and what a training adds to it."""

from collections.abc import Iterator, Mapping
from time import time
from typing import Any

from service.config import TrainConfig
from service.errors import RunError
from service.rounds.plan import Measured, Round
from service.rounds.tasks import RoundResult
from service.runs import Entry, Log, Run
from service.runs.checkpoints import Checkpoint
from service.runs.logged_rounds import logged_digests, logged_measurements
from service.training.early_stopping import best_epoch
from service.training.epoch_scores import EpochScores


class RunHistory:
    """The rounds and epochs of a run, as its log has them.

    Attributes:
        log: the log, open for appending.
        scores: the figures of the epochs that were evaluated while the run trained.
        is_finished: whether the log's last line says that the run came to its end.
        plateau_is_noticed: whether it says that the loss was that of guessing.
    """

    def __init__(self, run: Run, log: Log) -> None:
        """Read what the log says so far. Raises RunError where it is damaged."""
        self.log = log
        self.scores: dict[int, EpochScores] = {}
        self.is_finished = False
        self.plateau_is_noticed = False
        self._folder = run
        self._last: Entry = {}
        self._rounds: dict[int, Entry] = {}
        self._epochs: dict[int, Entry] = {}
        for entry in run.entries():
            if entry["kind"] == "round":
                self._rounds[entry["round"]] = entry
            elif entry["kind"] == "epoch":
                self._epochs[entry["epoch"]] = entry
            elif entry["kind"] == "evaluation":
                self.scores[entry["epoch"]] = EpochScores.from_entry(entry)
            elif entry["kind"] == "plateau":
                self.plateau_is_noticed = True
            self.is_finished = entry["kind"] == "end" and entry["outcome"] == "finished"
            self._last = entry
        self._began = time()

    @property
    def run_name(self) -> str:
        """Whose it is."""
        return self._folder.name

    @property
    def num_rounds(self) -> int:
        """How many rounds the log has."""
        return len(self._rounds)

    @property
    def epochs(self) -> Mapping[int, Entry]:
        """The epochs that the log has."""
        return self._epochs

    def check_end(self, config: TrainConfig) -> None:
        """Raise RunError where the line that ends a finished run has other digests than its rounds.

        The chain covers every line but the last one.
        """
        if not (self.is_finished and self._rounds):
            return
        digests = {"digest": str(self._rounds[max(self._rounds)]["digest"])}
        if "best_digest" in self._last:
            digests["best_digest"] = self.digest_after(self.published_epoch(config))
        for name, digest in digests.items():
            if (found := str(self._last.get(name))) != digest:
                raise RunError(
                    f"the log of run {self._folder.name} ends with the {name.replace('_', ' ')} "
                    f"{found[:12]}, but its rounds have {digest[:12]}: nothing is published; "
                    f"`atelier runs verify {self._folder.name}` says what else differs"
                )

    def unmeasured(self) -> list[tuple[int, int]]:
        """The epochs without figures, each with how many rounds were done by its end."""
        return [(epoch, entry["rounds_done"]) for epoch, entry in self._epochs.items() if epoch not in self.scores]

    def checkpoint_to_continue(self, config: TrainConfig) -> Checkpoint | None:
        """The newest checkpoint that is whole and agrees with the log.

        Where a state is needed whose own checkpoint is lost, it is one before that, so that it is computed again: the
        best epoch's, if that is to be published, and those of epochs that have yet to be compared.
        """
        needed = [rounds_done for _, rounds_done in self.unmeasured()] if config.chooses_by_validation else []
        if self.is_finished and config.keep == "best":
            needed.append(self.published_epoch(config)["rounds_done"])
        lost = [rounds_done for rounds_done in needed if self._checkpoint(rounds_done) is None]
        for number in self._folder.checkpoints.numbers():
            if number < min(lost, default=number + 1) and (checkpoint := self._checkpoint(number)):
                return checkpoint
        return None

    def published_epoch(self, config: TrainConfig) -> Entry:
        """See `published_epoch`."""
        return _published_epoch(config, self._epochs, self.scores)

    def digest_after(self, epoch: Entry) -> str:
        """The digest of the parameters after an epoch."""
        return str(self._rounds[epoch["rounds_done"] - 1]["digest"])

    def _checkpoint(self, number: int) -> Checkpoint | None:
        """A checkpoint, if it is whole and agrees with the log."""
        try:
            checkpoint = self._folder.checkpoints.read(number)
        except RunError:
            return None
        logged = self._rounds.get(checkpoint.round.number)
        return checkpoint if logged and logged_digests(logged) == checkpoint.state.digests else None

    def measurements(self) -> dict[int, Measured]:
        """What was measured in each round that later intervals may depend on, by the round's number."""
        return logged_measurements(self._rounds.values())

    def add_round(self, result: RoundResult) -> Iterator[Entry]:
        """Log a round that is new. Raises RunError where one that was logged before has another digest now."""
        number = result.round.number
        logged = self._rounds.get(number)
        if logged is None:
            self._rounds[number] = self.log.append("round", sync=result.state is not None, **_round_values(result))
            yield self._rounds[number]
        elif logged_digests(logged) != (result.digest, result.theta_digest):
            raise RunError(
                f"round {number} came out as {result.digest[:12]}, but the log has {logged['digest'][:12]}: "
                "the hardware, the libraries or the data are not those that the run began with"
            )

    def add_epoch(self, last: Round, *, sync: bool = True) -> Iterator[Entry]:
        """Log the means of an epoch's rounds, unless that was done before.

        Args:
            last: the epoch's last round, which is logged already.
            sync: see `Log.append`.
        """
        if last.epoch in self._epochs:
            return
        rounds = [entry for entry in self._rounds.values() if entry["epoch"] == last.epoch]
        examples = sum(entry["examples"] for entry in rounds)
        rate = self._rate_of(last.epoch)
        self._epochs[last.epoch] = self.log.append(
            "epoch",
            sync=sync,
            epoch=last.epoch,
            examples=examples,
            train_loss=sum(entry["loss"] * entry["examples"] for entry in rounds) / examples,
            train_accuracy=sum(entry["accuracy"] * entry["examples"] for entry in rounds) / examples,
            examples_per_s=rate,
            wall_s=examples / rate,
            rounds_done=last.number + 1,
        )
        yield self._epochs[last.epoch]

    def add_evaluation(self, epoch: int, scores: EpochScores) -> Entry:
        """Log the figures of an epoch that is logged already."""
        self.scores[epoch] = scores
        return self.log.append("evaluation", epoch=epoch, **scores.to_values())

    def add_plateau(self, why: str) -> Entry:
        """Log that the loss is that of guessing, with what to change."""
        self.plateau_is_noticed = True
        return self.log.append("plateau", epoch=max(self._epochs), why=why)

    def _rate_of(self, epoch: int) -> float:
        """Examples a second, from the last step before an epoch to its last step.

        Of an epoch that another process began, it is that of the rounds that this process added.
        """
        rounds = [entry for entry in self._rounds.values() if entry["epoch"] == epoch]
        ended = max(entry["ended"] for entry in rounds)
        marks = [self._began, *(entry["ended"] for entry in self._rounds.values() if entry["epoch"] < epoch)]
        began = max((mark for mark in marks if mark < ended), default=ended - sum(entry["step_s"] for entry in rounds))
        return float(sum(entry["examples"] for entry in rounds if entry["ended"] > began) / (ended - began))


def epochs_of(run: Run) -> list[Entry]:
    """The epochs of a run, in order, as its log has them."""
    return [entry for entry in run.entries() if entry["kind"] == "epoch"]


def scores_of(run: Run) -> dict[int, EpochScores]:
    """The figures of the epochs that were evaluated while the run trained, by epoch."""
    return {e["epoch"]: EpochScores.from_entry(e) for e in run.entries() if e["kind"] == "evaluation"}


def final_checkpoint(run: Run) -> Checkpoint:
    """The checkpoint that a finished run ended with. Raises RunError where it isn't finished, or it is damaged."""
    if run.status() != "finished":
        raise RunError(f"run {run.name} is not finished: it is {run.status()}")
    numbers = run.checkpoints.numbers()
    if not numbers:
        raise RunError(f"run {run.name} has no checkpoint any more: `atelier runs resume {run.name}` computes it again")
    return run.checkpoints.read(numbers[0])


def published_epoch(run: Run) -> Entry:
    """The epoch of a run that is published: the last one, or the best. Raises RunError where none can be."""
    epochs = {entry["epoch"]: entry for entry in epochs_of(run)}
    return _published_epoch(run.config(), epochs, scores_of(run))


def published_checkpoint(run: Run) -> Checkpoint:
    """The checkpoint of a finished run that is published. Raises RunError where it isn't finished, or it is damaged."""
    last = final_checkpoint(run)
    rounds_done = published_epoch(run)["rounds_done"]
    if last.round.number + 1 == rounds_done:
        return last
    return run.checkpoints.read(rounds_done)


def _published_epoch(config: TrainConfig, epochs: Mapping[int, Entry], scores: Mapping[int, EpochScores]) -> Entry:
    epoch = best_epoch(scores, config.first_epoch) if config.keep == "best" else max(epochs, default=None)
    if epoch is None or epoch not in epochs:
        raise RunError("the run has no epoch yet that could be published")
    return epochs[epoch]


def _round_values(result: RoundResult) -> dict[str, Any]:
    return {
        "round": result.round.number,
        "epoch": result.round.epoch,
        "first": result.round.first,
        "last": result.round.last,
        "shards": result.round.shards,
        "solo": result.round.solo,
        "examples": result.examples,
        "loss": result.loss,
        "accuracy": result.accuracy,
        "digest": result.digest,
        "drift": result.drift,
        "dispersion": result.dispersion,
        "step_s": result.seconds,
        "ended": result.ended,
        **({"theta_digest": result.theta_digest} if result.theta_digest else {}),
    }
