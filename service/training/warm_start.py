"""What a run starts from: fresh parameters, the state of another run, or weights from a file or a model."""

from dataclasses import dataclass, replace
from pathlib import Path

from ops.engines.base import Floats
from ops.network import Network
from service.errors import DataError, InvalidInput, NotFound
from service.home import Home
from service.model_ref import is_name
from service.registry import ModelRef, Registry
from service.registry.exports.weights import from_tensors, read_weights
from service.rounds.job import Job, network_for
from service.rounds.plan import Round
from service.runs import Run, find_run
from service.runs.checkpoints import Checkpoint
from service.training.history import epochs_of, final_checkpoint

SAFETENSORS = ".safetensors"
PICKLES = (".pt", ".pth", ".pkl", ".bin")
"""Endings of files that may hold a pickle, which is never opened."""


@dataclass(frozen=True)
class WarmStart:
    """Where a run's first state comes from; fresh parameters where all are empty.

    Attributes:
        fork: `RUN` or `RUN:CHECKPOINT`, the state that another run had there, velocities included.
        init: a safetensors file, by its path, or a model, `NAME` or `NAME:VERSION`: its parameters, without velocities.
        extend: `RUN`, the state that a finished run ended with, to go on with its next epoch.
    """

    fork: str = ""
    init: str = ""
    extend: str = ""

    def check(self, home: Home, network: Network) -> None:
        """Raise the error that `checkpoint` would for weights that can't be taken, before anything is started."""
        self._check_alone()
        if self.init:
            _initial_parameters(home, network, self.init)

    def checkpoint(self, home: Home, job: Job) -> Checkpoint | None:
        """The state to start from, or None for fresh parameters.

        Raises:
            NotFound: there is no such run, checkpoint or model.
            InvalidInput: its size isn't the network's, or several of `fork`, `init` and `extend` are set.
            RunError: the run to extend isn't finished.
            DataError: the file can't be read.
        """
        self._check_alone()
        if self.extend:
            return _extended(home, job, self.extend)
        if job.config.first_epoch:
            raise InvalidInput(f"first-epoch must be 0 in a run that extends no other, got {job.config.first_epoch}")
        if self.fork:
            return _forked(home, job, self.fork)
        if not self.init:
            return None
        return Checkpoint(Round(-1, 0, 0, 0, 1), 0, job.state_from(_initial_parameters(home, job.network, self.init)))

    def what_starts(self, start: Checkpoint | None) -> str:
        """What the first state has of what it comes from, for people; empty for fresh parameters."""
        if start is None:
            return ""
        replica, outer, ema = start.state.replica, start.state.outer, start.state.ema
        vectors = {
            "parameters": True,
            "velocity": replica.velocity.any(),
            "outer velocity": outer.any(),
            "moving average": ema is not None and (ema != replica.theta).any(),
        }
        taken = ", ".join(name for name, is_there in vectors.items() if is_there)
        if self.extend:
            return f"extends run {self.extend}, with its {taken}; epochs, shuffles and schedules go on"
        whence = f"forks run {self.fork}" if self.fork else f"begins with {self.init}"
        return f"{whence}, with its {taken}; epochs, shuffles and schedules begin anew"

    def _check_alone(self) -> None:
        if sum(map(bool, (self.fork, self.init, self.extend))) > 1:
            raise InvalidInput(
                "a run starts from another run or from weights: give one of --fork, --init and --extend, not both"
            )


FRESH = WarmStart()


def is_weights_file(init: str) -> bool:
    """Whether `--init` names a file rather than a model."""
    path = Path(init).expanduser()
    return path.is_file() or path.suffix in (SAFETENSORS, *PICKLES) or not is_name(init.partition(":")[0])


def _forked(home: Home, job: Job, fork: str) -> Checkpoint:
    run, _, number = fork.partition(":")
    parent = find_run(home.runs, run)
    there = parent.checkpoints.numbers()
    if not there or (number and (not number.isdigit() or int(number) not in there)):
        raise NotFound(f"run {run} has no checkpoint {number or 'yet'} (there: {', '.join(map(str, there)) or 'none'})")
    if job.config.holdout and parent.facts()["data"]["digest"] == job.data.digest and _held_out(parent, job):
        raise InvalidInput(
            f"run {run} was trained on examples that --holdout {job.config.holdout} would keep out here: fork it with "
            "its own --holdout, --holdout-by and --seed, or hold nothing out"
        )
    return _fitting(job, parent, parent.checkpoints.read(int(number or there[0])))


def _held_out(parent: Run, job: Job) -> list[str]:
    """The options that decide which examples are held out, where a job's differ from those of a run on its data."""
    theirs = parent.config()
    return [name for name in ("seed", "holdout", "holdout_by") if getattr(theirs, name) != getattr(job.config, name)]


def _fitting(job: Job, parent: Run, checkpoint: Checkpoint) -> Checkpoint:
    """A run's checkpoint as the state of a job. Raises InvalidInput where it isn't of the job's network."""
    if checkpoint.state.replica.theta.size != job.network.size:
        raise InvalidInput(
            f"run {parent.name} has {checkpoint.state.replica.theta.size} parameters, "
            f"network {job.network.name} has {job.network.size}: fork with the same --model"
        )
    _check_shapes(f"run {parent.name}", network_for(parent.config(), job.data), job.network, "fork")
    fresh, state = job.state_from(checkpoint.state.replica.theta), checkpoint.state
    if state.outer.size != fresh.outer.size:  # another strategy's; this one begins anew
        state = replace(state, outer=fresh.outer)
    if parent.config().optimizer.optimizer != job.config.optimizer.optimizer:  # likewise
        state = replace(state, replica=fresh.replica)
    if fresh.ema is None or state.ema is None:  # only one of both keeps a moving average
        state = replace(state, ema=fresh.ema)
    return replace(checkpoint, state=state)


def _extended(home: Home, job: Job, run: str) -> Checkpoint:
    parent = find_run(home.runs, run)
    last = final_checkpoint(parent)
    done = parent.config().first_epoch + len(epochs_of(parent))
    if job.config.first_epoch != done:
        raise InvalidInput(f"first-epoch must be {done} to extend run {run}, got {job.config.first_epoch}")
    if parent.facts()["data"]["digest"] != job.data.digest:
        raise InvalidInput(f"run {run} was trained on other data than {job.data.path} holds: fork it instead")
    if differing := _held_out(parent, job):
        raise InvalidInput(f"{', '.join(differing)} must be as in run {run} to extend it")
    return _fitting(job, parent, last)


def _initial_parameters(home: Home, network: Network, init: str) -> Floats:
    path = Path(init).expanduser()
    if is_weights_file(init):
        if path.suffix in PICKLES:
            raise DataError(
                f"{path} may hold a pickle, which is never opened: convert it where it comes from with "
                "safetensors.torch.save_file(model.state_dict(), 'weights.safetensors')"
            )
        return from_tensors(network, read_weights(path))
    model = Registry(home.models).find(ModelRef.parse(init))
    its = model.build_network()
    if its.size != network.size:
        raise InvalidInput(
            f"model {model.name}:{model.version} has {its.size} parameters, "
            f"network {network.name} has {network.size}: train with the same --model"
        )
    _check_shapes(f"model {model.name}:{model.version}", its, network, "train")
    return model.parameters()


def _check_shapes(whose: str, theirs: Network, ours: Network, how: str) -> None:
    """Raise InvalidInput where two networks of one size have other tensors."""
    for their, our in zip(theirs.table, ours.table, strict=False):
        if their.shape != our.shape:
            raise InvalidInput(
                f"{whose} has {their.name} of shape {their.shape}, network {ours.name} has {our.name} of shape "
                f"{our.shape}: {how} with the same --model"
            )
