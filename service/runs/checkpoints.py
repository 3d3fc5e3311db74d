"""Checkpoints: the state after a round, and where in the run that is; published whole, checked when read."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Protocol

import safetensors
from safetensors.numpy import load

from ops.engines.base import Replica
from service.errors import NotFound, RunError
from service.files import canonical_json, clear_drafts, new_folder
from service.rounds.plan import Round
from service.rounds.train_state import TrainState
from service.runs.vectors_file import to_safetensors

ARRAYS, CURSOR = "replica.safetensors", "cursor.json"
"""The files of a checkpoint: the second has the digest of the first, and makes it a checkpoint."""


@dataclass(frozen=True)
class Checkpoint:
    """The state after a round.

    Attributes:
        round: the round.
        examples: how many the run has used by then.
        state: the state.
    """

    round: Round
    examples: int
    state: TrainState

    @property
    def number(self) -> int:
        """Its name: how many rounds were done."""
        return self.round.number + 1


class Checkpoints(Protocol):
    """The checkpoints of a run, each named by how many rounds were done."""

    def numbers(self) -> list[int]:
        """The checkpoints there are, newest first."""

    def read(self, number: int) -> Checkpoint:
        """Read one. Raises RunError where it is missing, cut short or altered."""

    def write(self, checkpoint: Checkpoint) -> None:
        """Publish one. One that is there already stays, if it is whole and the same."""

    def remove(self, number: int) -> None:
        """Remove one. What a process leaves of it that dies meanwhile is no checkpoint."""

    def clear_drafts(self) -> None:
        """Remove what processes left of checkpoints when they died; for who holds the run."""


@dataclass(frozen=True)
class FolderCheckpoints:
    """`Checkpoints` in a folder, each a folder of its own.

    Attributes:
        folder: the folder.
    """

    folder: Path

    def numbers(self) -> list[int]:
        return numbers(self.folder)

    def read(self, number: int) -> Checkpoint:
        return read(self.folder / str(number))

    def write(self, checkpoint: Checkpoint) -> None:
        write(self.folder, checkpoint)

    def remove(self, number: int) -> None:
        remove(self.folder / str(number))

    def clear_drafts(self) -> None:
        clear_drafts(self.folder)


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Publish a checkpoint as `folder/<rounds done>/`; one that is there already stays if it is whole and the same."""
    target = folder / str(checkpoint.number)
    if target.exists():
        with suppress(RunError):
            if read(target).state.digests == checkpoint.state.digests:
                return target
        shutil.rmtree(target)
    with new_folder(target) as draft:
        for name, content in to_files(checkpoint).items():
            (draft / name).write_bytes(content)
    return target


def to_files(checkpoint: Checkpoint) -> dict[str, bytes]:
    """The files of a checkpoint by their names; the one that is written last comes last."""
    state = checkpoint.state
    vectors = {"theta": state.replica.theta, "velocity": state.replica.velocity, "outer": state.outer}
    tensors = to_safetensors(vectors if state.ema is None else vectors | {"ema": state.ema})
    round_ = asdict(checkpoint.round)
    solo_steps = round_.pop("solo_steps")
    cursor = {
        "round": round_,
        "examples": checkpoint.examples,
        **({"solo_steps": solo_steps} if solo_steps else {}),
        "digest": state.digest,
        "sha256": sha256(tensors).hexdigest(),
    }
    cursor["cursor_sha256"] = sha256(canonical_json(cursor).encode()).hexdigest()
    return {ARRAYS: tensors, CURSOR: (canonical_json(cursor) + "\n").encode()}


def from_files(where: object, read_file: Callable[[str], bytes]) -> Checkpoint:
    """Read a checkpoint.

    Args:
        where: it lies, for messages.
        read_file: gives the content of one of its files.

    Raises:
        RunError: it is missing, cut short or altered.
    """
    try:
        cursor = json.loads(read_file(CURSOR))
        if cursor.pop("cursor_sha256") != sha256(canonical_json(cursor).encode()).hexdigest():
            raise RunError(f"{where}/{CURSOR} is damaged: its SHA-256 is not the one that it states")
        tensors = read_file(ARRAYS)
        if sha256(tensors).hexdigest() != cursor["sha256"]:
            raise RunError(f"{where}/{ARRAYS} is damaged: its SHA-256 is not the one in cursor.json")
        arrays = load(tensors)
        state = TrainState(Replica(arrays["theta"], arrays["velocity"]), arrays["outer"], arrays.get("ema"))
        round_ = Round(**cursor["round"], solo_steps=cursor.get("solo_steps", 0))
        return Checkpoint(round_, cursor["examples"], state)
    except (OSError, NotFound, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise RunError(f"checkpoint {where} can't be read: {error}") from None


def read(path: Path) -> Checkpoint:
    """Read one checkpoint. Raises RunError where it is missing, cut short or altered."""
    return from_files(path, lambda name: (path / name).read_bytes())


def remove(path: Path) -> None:
    """Remove a checkpoint. What a process leaves of it that dies meanwhile is no checkpoint, and is cleared away."""
    gone = path.with_name(f".{path.name}-removed")
    path.rename(gone)
    shutil.rmtree(gone)


def numbers(folder: Path) -> list[int]:
    """The checkpoints there are, newest first, each named by how many rounds were done."""
    if not folder.is_dir():
        return []
    return sorted((int(path.name) for path in folder.iterdir() if path.name.isdigit()), reverse=True)
