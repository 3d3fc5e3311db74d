"""Runs and their rounds. A line of a round log may know more than is described here."""

import json
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from service.http.schemas.base import ResponseModel, content, success
from service.runs import Status


class Run(ResponseModel):
    """A run and how far it came.

    Attributes:
        started: When it began (ISO 8601, UTC).
        loss: Of the newest round or epoch, whichever came last; of a finished run, its last epoch.
        accuracy: The same.
        examples_per_s: Of the newest epoch.
    """

    run: str
    status: Status
    started: str
    model: str
    network: str
    dataset: str
    epochs_done: int = Field(ge=0)
    epochs: int = Field(ge=1)
    rounds_done: int = Field(ge=0)
    loss: float | None
    accuracy: float | None
    examples_per_s: float | None


class Runs(ResponseModel):
    """Runs, the newest first."""

    items: list[Run]


class LogLine(BaseModel):
    """A line of the round log. at: when it was written. previous: the SHA-256 of the line before."""

    model_config = ConfigDict(extra="allow")

    kind: str
    at: str
    previous: str


class EpochLine(LogLine):
    """The figures of an epoch."""

    epoch: int = Field(ge=0)
    examples: int
    train_loss: float
    train_accuracy: float
    examples_per_s: float
    wall_s: float
    rounds_done: int


class RoundLine(LogLine):
    """The figures of a round. digest: of the replica after it."""

    round: int = Field(ge=0)
    epoch: int = Field(ge=0)
    examples: int
    loss: float
    accuracy: float
    digest: str


class RunFacts(BaseModel):
    """The configuration of a run, and what was found when it began: data, engine, versions."""

    model_config = ConfigDict(extra="allow")

    run: str
    config: dict[str, Any]


class FullRun(Run):
    """A run with its configuration and its epochs."""

    asked: RunFacts
    history: list[EpochLine]


class Rounds(ResponseModel):
    """Rounds, the oldest first."""

    items: list[RoundLine]


_RUN: dict[str, Any] = {
    "run": "20261123-181500-4f2a",
    "status": "finished",
    "started": "2026-11-23T18:15:00.100000+00:00",
    "model": "lenet",
    "network": "lenet",
    "dataset": "fashion-mnist",
    "epochs_done": 1,
    "epochs": 1,
    "rounds_done": 2,
    "loss": 0.81,
    "accuracy": 0.69,
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
_FACTS = RunFacts(run=_RUN["run"], config={"model": "lenet", "dataset": "fashion-mnist", "epochs": 1, "seed": 0})

RUNS = success(Runs(items=[Run(**_RUN)]))
FULL_RUN = success(FullRun(**_RUN, asked=_FACTS, history=[_EPOCH]))
ROUNDS = success(Rounds(items=[_ROUND]))
EVENTS = content({"text/event-stream": f"id: 2\nevent: round\ndata: {json.dumps(_ROUND.model_dump())}\n\n"})
