"""One run on disk: its configuration, its round log, its checkpoints, and the lease on it."""

import json
import secrets
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import ValidationError

from service.config import TrainConfig, explain
from service.errors import Conflict, NotFound, RunError
from service.files import canonical_json, new_folder
from service.runs.lease import Lease, is_held, lease_on
from service.runs.log import Entry, RoundLog, entries, first_entry
from service.runs.recorded_config import recorded_config

if TYPE_CHECKING:
    from service.rounds.train_state import TrainState
    from service.runs.checkpoints import Checkpoint

Status = Literal["running", "finished", "paused", "cancelled", "failed", "interrupted"]


def new_run_id() -> str:
    """A name that sorts by time: `20261123-181500-4f2a`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


@dataclass(frozen=True)
class RunFolder:
    """A run's folder, `runs/<id>/`. Nothing here is cached: files are the truth."""

    path: Path

    @classmethod
    def create(cls, runs: Path, run: str, config: TrainConfig, start: "Checkpoint | None", **facts: Any) -> "RunFolder":
        """Begin a run on disk.

        Args:
            runs: the folder of all runs.
            run: its name.
            config: its configuration.
            start: what it starts from; None for fresh parameters.
            facts: data, engine, versions and so on, which are written beside the configuration.

        Raises:
            Conflict: a run of that name exists.
        """
        try:
            with new_folder(runs / run) as draft:
                content = {"run": run, "config": config.model_dump(mode="json"), **facts}
                (draft / "config.json").write_text(canonical_json(content) + "\n", encoding="utf-8")
                (draft / "checkpoints").mkdir()
                if start is not None:
                    from service.runs import checkpoints  # here and below: whoever lists runs needs no arrays

                    checkpoints.write(draft / "start", start)
        except FileExistsError:
            raise Conflict(f"run {run} exists already") from None
        return cls(runs / run)

    @classmethod
    def open(cls, runs: Path, run: str) -> "RunFolder":
        """The run of that name. Raises NotFound where there is none."""
        folder = cls(runs / run)
        if "/" in run or run.startswith(".") or not _is_run(folder.path):
            raise NotFound(f"there is no run {run!r} in {runs}")
        return folder

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def log(self) -> Path:
        return self.path / "rounds.jsonl"

    @property
    def checkpoints(self) -> Path:
        return self.path / "checkpoints"

    def start(self) -> "TrainState | None":
        """The state that the run started from, if not from fresh parameters. Raises RunError where it is damaged."""
        from service.runs import checkpoints

        forked = self.path / "start"
        numbers = checkpoints.numbers(forked)
        return checkpoints.read(forked / str(numbers[0])).state if numbers else None

    def facts(self) -> dict[str, Any]:
        """The content of config.json: the configuration, and data, engine and versions when the run began.

        Raises RunError where it is damaged, or can't be read.
        """
        try:
            facts: dict[str, Any] = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
            if not isinstance(facts, dict):
                raise ValueError("it is no JSON object")
        except OSError as error:
            raise RunError(f"{self.path / 'config.json'} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise RunError(f"{self.path / 'config.json'} is damaged: {error}") from None
        return facts

    def config(self) -> TrainConfig:
        """The configuration that the run was started with. Raises RunError where it is damaged."""
        try:
            return recorded_config(self.facts().get("config"))
        except ValidationError as error:
            raise RunError(f"{self.path / 'config.json'} is damaged: {explain(error)}") from None

    def entries(self) -> Iterator[Entry]:
        """The round log from the beginning. Raises RunError where its chain is broken."""
        return entries(self.log)

    def readable_entries(self) -> list[Entry]:
        """The round log; none of it where its chain is broken."""
        try:
            return list(self.entries())
        except RunError:
            return []

    def started(self) -> str:
        """When the run began (ISO 8601, UTC): what its first entry says, or the time of its configuration or folder."""
        with suppress(RunError, KeyError, OSError):
            return str(first_entry(self.log)["at"])
        config = self.path / "config.json"
        written = (config if config.exists() else self.path).stat().st_mtime
        return datetime.fromtimestamp(written, UTC).isoformat()

    def status(self) -> Status:
        """How the run stands, as far as its files say."""
        last = deque(self.entries(), maxlen=1)
        if last and last[0]["kind"] == "end":
            outcome: Status = last[0]["outcome"]
            return outcome
        return "running" if is_held(self.path) else "interrupted"

    def request(self, what: Literal["cancel", "pause"]) -> None:
        """Request that the process which works on the run stops after the current round."""
        (self.path / what).touch()

    def requested(self) -> Literal["cancel", "pause"] | None:
        """The request that nobody has answered yet; None where there is none."""
        if (self.path / "cancel").exists():
            return "cancel"
        return "pause" if (self.path / "pause").exists() else None

    def clear_requests(self) -> None:
        """Remove all requests."""
        for what in ("cancel", "pause"):
            (self.path / what).unlink(missing_ok=True)

    def conclude(self, outcome: Literal["cancelled"]) -> None:
        """Log the end of a run whose process could not do so itself. One that has ended stays as it is.

        Raises Conflict where a process works on the run.
        """
        with self.held() as lease, RoundLog(self.log, before_write=lease.check) as log:
            last = deque(self.entries(), maxlen=1)
            if last and last[0]["kind"] != "end":
                log.append("end", outcome=outcome)

    def held(self) -> AbstractContextManager[Lease]:
        """Work on the run alone while a block lasts; see `lease_on`. Raises Conflict where another process does."""
        return lease_on(self.path)


def all_runs(runs: Path) -> list[RunFolder]:
    """Every run there is, the one that started last first."""
    if not runs.is_dir():
        return []
    folders = [RunFolder(path) for path in runs.iterdir() if not path.name.startswith(".") and _is_run(path)]
    return sorted(folders, key=lambda folder: (folder.started(), folder.name), reverse=True)


def _is_run(path: Path) -> bool:
    """Whether a folder is a run's, perhaps one that lost its configuration."""
    return any((path / name).exists() for name in ("config.json", "rounds.jsonl", "checkpoints"))
