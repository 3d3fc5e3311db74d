"""Checkpoints: the state after a round, and where in the run that is; published by rename, checked when read."""

import json
import shutil
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path

import safetensors
from safetensors.numpy import load, save

from ops.engines.base import Replica
from service.errors import RunError
from service.files import canonical_json, new_folder
from service.rounds.plan import Round
from service.rounds.train_state import TrainState


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


def write(folder: Path, checkpoint: Checkpoint) -> Path:
    """Publish a checkpoint as `folder/<rounds done>/`; one that is there already stays, unless it is damaged."""
    target = folder / str(checkpoint.round.number + 1)
    if target.exists():
        try:
            read(target)
            return target
        except RunError:
            shutil.rmtree(target)
    state = checkpoint.state
    vectors = {"theta": state.replica.theta, "velocity": state.replica.velocity, "outer": state.outer}
    tensors = save(vectors if state.ema is None else vectors | {"ema": state.ema})
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
    with new_folder(target) as draft:
        (draft / "replica.safetensors").write_bytes(tensors)
        (draft / "cursor.json").write_text(canonical_json(cursor) + "\n", encoding="utf-8")
    return target


def read(path: Path) -> Checkpoint:
    """Read one checkpoint. Raises RunError where it is missing, cut short or altered."""
    try:
        cursor = json.loads((path / "cursor.json").read_text(encoding="utf-8"))
        if cursor.pop("cursor_sha256") != sha256(canonical_json(cursor).encode()).hexdigest():
            raise RunError(f"{path / 'cursor.json'} is damaged: its SHA-256 is not the one that it states")
        tensors = (path / "replica.safetensors").read_bytes()
        if sha256(tensors).hexdigest() != cursor["sha256"]:
            raise RunError(f"{path / 'replica.safetensors'} is damaged: its SHA-256 is not the one in cursor.json")
        arrays = load(tensors)
        state = TrainState(Replica(arrays["theta"], arrays["velocity"]), arrays["outer"], arrays.get("ema"))
        round_ = Round(**cursor["round"], solo_steps=cursor.get("solo_steps", 0))
        return Checkpoint(round_, cursor["examples"], state)
    except (OSError, ValueError, KeyError, TypeError, safetensors.SafetensorError) as error:
        raise RunError(f"checkpoint {path} can't be read: {error}") from None


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
