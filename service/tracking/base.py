"""What a tracker is: another tool's record of a run, which gets the lines of the round log and the model."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from service.config import TrainConfig
from service.registry import ModelVersion
from service.runs import Entry, Run
from service.runs.recorded_config import flatten

NOT_PARAMETERS = ("name", "tags", "track")
"""Fields of a configuration that don't change what is trained."""


@dataclass(frozen=True)
class TrackedRun:
    """A run that is tracked.

    Attributes:
        files: what it keeps: its configuration, which is there already, and its log.
        home: the folder where all runs and models lie, or else what this machine alone needs.
    """

    files: Run
    home: Path

    @property
    def name(self) -> str:
        """The run's name."""
        return self.files.name

    @property
    def origin(self) -> str:
        """Where it is from, as people know it: the folder of all runs and models, or its own address."""
        return str(self.home if isinstance(self.files.place, Path) else self.files.place)

    @property
    def local(self) -> Path:
        """A folder of this machine for files about the run: its own, or one in the home where it has none."""
        place = self.files.place
        return place if isinstance(place, Path) else self.home / "tracking" / self.name

    @cached_property
    def config(self) -> TrainConfig:
        """What is trained."""
        return self.files.config()

    @cached_property
    def facts(self) -> dict[str, Any]:
        """See `Run.facts`."""
        return self.files.facts()

    def parameters(self) -> dict[str, str | int | float | bool]:
        """The configuration with dotted names; of a described network, its name."""
        values = self.config.model_dump(mode="json", exclude=set(NOT_PARAMETERS))
        return flatten({**values, "model": self.config.network_name})


class Tracker(Protocol):
    """Another tool's record of one run. Any method may raise any exception: it is then called again later."""

    def add(self, entries: Sequence[Entry]) -> None:
        """Take lines of the round log, in order. After a crash some may come a second time."""

    def publish(self, model: ModelVersion, measured: Sequence[Entry]) -> None:
        """Take the model that the run ended in.

        Args:
            model: the version in the registry.
            measured: `evaluation` lines for epochs that were evaluated after the training; the log lacks these.
        """

    def end(self, outcome: str) -> None:
        """Close the record. outcome: the run's status; `running` where another process works on it by now."""


class TrackerModule(Protocol):
    """A module that has a tracker, as the registry finds it."""

    def check(self) -> None:
        """Raise AtelierError where a run can't be tracked from its beginning: before anything is started for it."""

    def tracker(self, run: TrackedRun, saved: dict[str, str]) -> Tracker:
        """The record of a run: a new one, or the one that was begun before.

        Args:
            run: the run.
            saved: what the tracker has to remember of the record, empty at first. It may be changed.
        """
