"""Runs and their rounds. A line of a round log may know more than is described here."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.http.schemas.form import Answer, content, success
from service.runs import Status


class Run(Answer):
    """A run and how far it came; the newest round's loss and accuracy, and the newest epoch's speed."""

    run: str
    status: Status
    model: str
    network: str
    dataset: str
    epochs_done: int = Field(ge=0)
    epochs: int = Field(ge=1)
    rounds_done: int = Field(ge=0)
    loss: float | None
    accuracy: float | None
    examples_per_s: float | None


class Runs(Answer):
    """Runs, the newest first."""

    items: list[Run]


class Line(BaseModel):
    """A line of the round log: when it was written, and the SHA-256 of the line before."""

    model_config = ConfigDict(extra="allow")

    kind: str
    at: str
    previous: str


class EpochLine(Line):
    """How an epoch went."""

    epoch: int = Field(ge=0)
    examples: int
    train_loss: float
    train_accuracy: float
    examples_per_s: float
    wall_s: float
    rounds_done: int


class RoundLine(Line):
    """How a round went. digest: of the replica after it."""

    round: int = Field(ge=0)
    epoch: int = Field(ge=0)
    examples: int
    loss: float
    accuracy: float
    digest: str


class Asked(BaseModel):
    """What a run was asked for, and what was found when it began: data, engine, versions."""

    model_config = ConfigDict(extra="allow")

    run: str
    config: dict[str, Any]


class FullRun(Run):
    """A run with all that was asked for, and its epochs."""

    asked: Asked
    history: list[EpochLine]


class Rounds(Answer):
    """Rounds, the oldest first."""

    items: list[RoundLine]


_RUN: dict[str, Any] = {
    "run": "20261123-181500-4f2a",
    "status": "finished",
    "model": "lenet",
    "network": "lenet",
    "dataset": "fashion-mnist",
    "epochs_done": 1,
    "epochs": 1,
    "rounds_done": 2,
    "loss": 0.62,
    "accuracy": 0.76,
    "examples_per_s": 41000.0,
}
_WRITTEN = {"at": "2026-11-23T18:15:02.500000+00:00", "previous": "5e" * 32}
_EPOCH = EpochLine(
    kind="epoch",
    epoch=0,
    examples=60000,
    train_loss=0.81,
    train_accuracy=0.69,
    examples_per_s=41000.0,
    wall_s=1.46,
    rounds_done=2,
    **_WRITTEN,
)
_ROUND = RoundLine(
    kind="round", round=1, epoch=0, examples=30000, loss=0.62, accuracy=0.76, digest="9c" * 32, **_WRITTEN
)
_ASKED = Asked(run=_RUN["run"], config={"model": "lenet", "dataset": "fashion-mnist", "epochs": 1, "seed": 0})

RUNS = success(Runs(items=[Run(**_RUN)]))
FULL_RUN = success(FullRun(**_RUN, asked=_ASKED, history=[_EPOCH]))
ROUNDS = success(Rounds(items=[_ROUND]))
EVENTS = content({"text/event-stream": f"id: 2\nevent: round\ndata: {json.dumps(_ROUND.model_dump())}\n\n"})
