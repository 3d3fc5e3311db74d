"""A run in a folder, `runs/<id>/`."""

import json
import shutil
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from service.config import TrainConfig
from service.errors import Conflict, NotFound, RunError
from service.files import canonical_json, new_folder, replace_file, size_of
from service.runs.chain import Entry
from service.runs.folder_lease import is_held, lease_on
from service.runs.lease import Lease
from service.runs.log import RoundLog, entries, tail
from service.runs.run import REQUESTS, Request, Run

if TYPE_CHECKING:
    from service.rounds.train_state import TrainState
    from service.runs.checkpoints import Checkpoint, FolderCheckpoints

DELETED = ".deleted-"
"""What the name of a run's folder begins with while its files are being removed."""


@dataclass(frozen=True)
class RunFolder(Run):
    """A `Run` in a folder.

    Attributes:
        path: the folder.
    """

    path: Path
    poll_s: ClassVar[float] = 0.1

    @classmethod
    def create(cls, runs: Path, run: str, config: TrainConfig, start: "Checkpoint | None", **facts: Any) -> "RunFolder":
        """Begin a run on disk. See `service.runs.inventory.begin_run`."""
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
        if "/" in run or run.startswith(".") or not folder.is_run():
            raise NotFound(f"there is no run {run!r} in {runs}")
        return folder

    @property
    def place(self) -> Path:
        return self.path

    @property
    def log(self) -> Path:
        """The file of the round log."""
        return self.path / "rounds.jsonl"

    @property
    def checkpoints(self) -> "FolderCheckpoints":
        from service.runs.checkpoints import FolderCheckpoints

        return FolderCheckpoints(self.path / "checkpoints")

    def exists(self) -> bool:
        return self.path.is_dir()

    def is_run(self) -> bool:
        """Whether the folder is a run's, perhaps one that lost its configuration."""
        return any((self.path / name).exists() for name in ("config.json", "rounds.jsonl", "checkpoints"))

    def start(self) -> "TrainState | None":
        from service.runs import checkpoints

        forked = self.path / "start"
        numbers = checkpoints.numbers(forked)
        return checkpoints.read(forked / str(numbers[0])).state if numbers else None

    def facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads((self.path / "config.json").read_text(encoding="utf-8"))
            if not isinstance(facts, dict):
                raise ValueError("it is no JSON object")
        except OSError as error:
            raise RunError(f"{self.path / 'config.json'} can't be read: {error.strerror}") from None
        except ValueError as error:
            raise RunError(f"{self.path / 'config.json'} is damaged: {error}") from None
        return facts

    def entries(self) -> Iterator[Entry]:
        return entries(self.log)

    def tail(self, position: int) -> tuple[list[Entry], int]:
        """The position is that of a byte."""
        return tail(self.log, position)

    def open_log(self, lease: Lease) -> RoundLog:
        return RoundLog(self.log, before_write=lease.check)

    def held(self) -> AbstractContextManager[Lease]:
        return lease_on(self.path)

    def is_held(self) -> bool:
        return is_held(self.path)

    def request(self, what: Request) -> None:
        (self.path / what).touch()

    def requested(self) -> Request | None:
        return next((what for what in REQUESTS if (self.path / what).exists()), None)

    def clear_requests(self) -> None:
        for what in REQUESTS:
            (self.path / what).unlink(missing_ok=True)

    def created(self) -> datetime:
        """When its configuration was written, or else its folder."""
        config = self.path / "config.json"
        return datetime.fromtimestamp((config if config.exists() else self.path).stat().st_mtime, UTC)

    def size(self) -> int:
        return size_of(self.path)

    def delete(self) -> None:
        gone = self.path.with_name(f"{DELETED}{self.name}")
        with self.held():
            self.path.rename(gone)
        shutil.rmtree(gone)

    def read_log(self) -> bytes:
        return self.log.read_bytes()

    def read_text(self, key: str) -> str:
        try:
            return (self.path / key).read_text(encoding="utf-8")
        except FileNotFoundError:
            raise NotFound(f"{self.path / key} isn't there") from None

    def write_text(self, key: str, text: str) -> None:
        replace_file(self.path / key, lambda draft: draft.write_text(text, encoding="utf-8"))
