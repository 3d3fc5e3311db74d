"""What a flow run shows while it works and when it is done, as Prefect artifacts."""

from time import monotonic
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from service.runs import Entry
from service.sweep import Result, results_table


class TrainingView:
    """Follows a run: a progress bar (at most one update a second) and a table with a line for each epoch."""

    def __init__(self, run: str, rounds: int) -> None:
        self._key = f"run-{run}"
        self._rounds = max(rounds, 1)
        self._progress: UUID | None = None
        self._shown = 0.0
        self._epochs: list[dict[str, object]] = []

    def __call__(self, entry: Entry) -> None:
        """Take in a line of the round log."""
        if entry["kind"] == "round":
            self._advance(100 * (entry["round"] + 1) / self._rounds)
        elif entry["kind"] == "epoch":
            self._epochs.append(
                {
                    "epoch": entry["epoch"] + 1,
                    "train loss": round(entry["train_loss"], 4),
                    "train accuracy": round(entry["train_accuracy"], 4),
                    "examples/s": round(entry["examples_per_s"]),
                }
            )
            create_table_artifact(table=self._epochs, key=f"{self._key}-epochs", description="Epoch by epoch")
        elif entry["kind"] == "end":
            self._advance(100.0, now=True)

    def _advance(self, percent: float, *, now: bool = False) -> None:
        if not now and monotonic() - self._shown < 1:
            return
        self._shown = monotonic()
        if self._progress is None:
            answer = create_progress_artifact(progress=percent, key=self._key, description="Rounds trained")
            self._progress = answer if isinstance(answer, UUID) else None
        else:
            update_progress_artifact(artifact_id=self._progress, progress=percent)


def show_sweep(name: str, results: list[Result]) -> None:
    """The trials that are done, best first."""
    create_table_artifact(table=results_table(results), key=f"sweep-{name}", description="Trial by trial")


def show_report(run: str, markdown: str) -> None:
    """Leave the final report with the flow run."""
    create_markdown_artifact(markdown=markdown, key=f"run-{run}-report", description="What came out")
