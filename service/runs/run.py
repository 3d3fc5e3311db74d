"""One run, wherever it lies: its configuration, its round log, its checkpoints, and the lease on it."""

import secrets
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import ValidationError

from service.config import TrainConfig, explain
from service.errors import RunError
from service.runs.chain import Entry, Log
from service.runs.lease import Lease
from service.runs.recorded_config import recorded_config
from service.storage import Place

if TYPE_CHECKING:
    from service.rounds.train_state import TrainState
    from service.runs.checkpoints import Checkpoints

Status = Literal["running", "finished", "paused", "cancelled", "failed", "interrupted"]
Request = Literal["cancel", "pause"]
REQUESTS: tuple[Request, ...] = ("cancel", "pause")


def new_run_id() -> str:
    """A name that sorts by time: `20261123-181500-4f2a`."""
    return f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


class Run(ABC):
    """A run, which may not have begun yet. What lies there is the truth, nothing of it is remembered here.

    Methods raise OSError where a disk can't be read or written, StorageError where a storage can't.

    Attributes:
        poll_s: how often who watches it looks for new lines of its log, in seconds.
    """

    poll_s: ClassVar[float]

    @property
    @abstractmethod
    def place(self) -> Place:
        """Where it lies; the last part is the run's name."""

    @property
    def name(self) -> str:
        """The run's name."""
        return self.place.name

    @property
    @abstractmethod
    def checkpoints(self) -> "Checkpoints":
        """Its checkpoints."""

    @abstractmethod
    def exists(self) -> bool:
        """Whether it has begun."""

    @abstractmethod
    def start(self) -> "TrainState | None":
        """The state that the run started from, if not from fresh parameters. Raises RunError where it is damaged."""

    @abstractmethod
    def facts(self) -> dict[str, Any]:
        """The content of config.json: the configuration, and data, engine and versions when the run began.

        Raises RunError where it is damaged, or can't be read.
        """

    @abstractmethod
    def entries(self) -> Iterator[Entry]:
        """The round log from the beginning. Raises RunError where its chain is broken."""

    @abstractmethod
    def tail(self, position: int) -> tuple[list[Entry], int]:
        """The lines of the log behind a position, and the position behind them; their chain is not checked.

        Args:
            position: one that this has returned, or 0 for the beginning.

        Raises:
            RunError: a line is no JSON.
        """

    @abstractmethod
    def open_log(self, lease: Lease) -> Log:
        """The log, for who holds the lease on the run. Raises RunError where its chain is broken."""

    @abstractmethod
    def held(self) -> AbstractContextManager[Lease]:
        """Work on the run alone while a block lasts. Raises Conflict where another process does."""

    @abstractmethod
    def is_held(self) -> bool:
        """Whether some process seems to work on it, as far as can be told without waiting. Nothing is written."""

    @abstractmethod
    def request(self, what: Request) -> None:
        """Request that the process which works on the run stops after the current round."""

    @abstractmethod
    def requested(self) -> Request | None:
        """The request that nobody has answered yet; None where there is none."""

    @abstractmethod
    def clear_requests(self) -> None:
        """Remove all requests."""

    @abstractmethod
    def created(self) -> datetime:
        """When its configuration was written."""

    @abstractmethod
    def size(self) -> int:
        """How many bytes it takes."""

    @abstractmethod
    def delete(self) -> None:
        """Remove it: it is out of sight at once, then its files go. Raises Conflict where a process works on it."""

    @abstractmethod
    def read_log(self) -> bytes:
        """The lines of the log, as a file has them."""

    @abstractmethod
    def read_text(self, key: str) -> str:
        """A small file of the run, such as config.json. Raises NotFound."""

    @abstractmethod
    def write_text(self, key: str, text: str) -> None:
        """Have a small file with the run, whole or not at all, whatever was there."""

    def config(self) -> TrainConfig:
        """The configuration that the run was started with. Raises RunError where it is damaged."""
        try:
            return recorded_config(self.facts().get("config"))
        except ValidationError as error:
            raise RunError(f"{self.place}/config.json is damaged: {explain(error)}") from None

    def readable_entries(self) -> list[Entry]:
        """The round log; none of it where its chain is broken."""
        try:
            return list(self.entries())
        except RunError:
            return []

    def started(self) -> str:
        """When the run began (ISO 8601, UTC): what its first entry says, or when its configuration was written."""
        with suppress(RunError, KeyError, OSError):
            for entry in self.entries():
                return str(entry["at"])
        return self.created().isoformat()

    def status(self) -> Status:
        """How the run stands, as far as its files say."""
        last = deque(self.entries(), maxlen=1)
        if last and last[0]["kind"] == "end":
            outcome: Status = last[0]["outcome"]
            return outcome
        return "running" if self.is_held() else "interrupted"

    def conclude(self, outcome: Literal["cancelled"]) -> None:
        """Log the end of a run whose process could not do so itself. One that has ended stays as it is.

        Raises Conflict where a process works on the run.
        """
        with self.held() as lease, self.open_log(lease) as log:
            last = deque(self.entries(), maxlen=1)
            if last and last[0]["kind"] != "end":
                log.append("end", outcome=outcome)
