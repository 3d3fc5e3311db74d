"""What a line of the round log says, as named figures; pure.

kind          step             figures
round         its number + 1   round/loss, round/accuracy, round/dispersion
epoch         its number + 1   loss/train, accuracy/train, examples_per_s
evaluation    its epoch + 1    loss/test, accuracy/test, loss/validation, accuracy/validation
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from service.runs import Entry


@dataclass(frozen=True)
class Figure:
    """One value of a curve.

    Attributes:
        name: of the curve.
        value: its value.
        step: where it is on the curve, from 1.
        at: when it was logged, in seconds since 1970.
    """

    name: str
    value: float
    step: int
    at: float


def figures_of(entry: Entry) -> Iterator[Figure]:
    """The figures of a line; none for kinds that have none."""
    if entry["kind"] not in ("round", "epoch", "evaluation"):
        return
    at = datetime.fromisoformat(entry["at"]).timestamp()
    step = entry["round" if entry["kind"] == "round" else "epoch"] + 1
    for name, value in _values(entry):
        yield Figure(name, float(value), step, at)


def measured_afterwards(history: Sequence[Mapping[str, Any]], logged: Collection[int], at: str) -> list[Entry]:
    """`evaluation` lines as the log would have them, for epochs of a model's history that it doesn't have.

    Args:
        history: of the model; epochs count from 1.
        logged: the epochs, from 0, whose evaluations the log has.
        at: when the model was published.
    """
    return [
        {"kind": "evaluation", "epoch": epoch["epoch"] - 1, "at": at, **_scores(epoch)}
        for epoch in history
        if epoch["epoch"] - 1 not in logged and epoch.get("test_loss") is not None
    ]


def _values(entry: Entry) -> Iterator[tuple[str, float]]:
    if entry["kind"] == "round":
        yield from (("round/loss", entry["loss"]), ("round/accuracy", entry["accuracy"]))
        if not entry.get("solo", True):
            yield "round/dispersion", entry["dispersion"]
    elif entry["kind"] == "epoch":
        yield from (("loss/train", entry["train_loss"]), ("accuracy/train", entry["train_accuracy"]))
        yield "examples_per_s", entry["examples_per_s"]
    else:
        for part in ("test", "validation"):
            if score := entry.get(part):
                yield from ((f"loss/{part}", score["loss"]), (f"accuracy/{part}", score["accuracy"]))


def _scores(epoch: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    return {
        part: {"loss": epoch[f"{part}_loss"], "accuracy": epoch[f"{part}_accuracy"]}
        for part in ("test", "validation")
        if epoch.get(f"{part}_loss") is not None
    }
