"""What can go wrong for the user, each told in one line.

AtelierError            exit status 1
├── InvalidInput        what was asked for can't be: exit status 2
├── NotFound            no run, model, version or file of that name
├── Conflict            it exists already, or somebody else holds it
├── DataError           a source file or the store is missing, damaged or not what it says it is
├── ClusterError        no scheduler, no workers, or they can't do the work
├── StorageError        where models, data or runs lie can't be reached, read or written
├── RunError            a run's log, checkpoints or state
├── SweepError          a sweep's files on disk, or trials that failed
└── Cancelled           the run was cancelled or paused, as asked
"""


class AtelierError(Exception):
    """The work failed; the message says what happened and what to do."""

    exit_status = 1


class InvalidInput(AtelierError):
    """What was asked for can't be."""

    exit_status = 2


class NotFound(AtelierError):
    """Nothing of that name."""


class Conflict(AtelierError):
    """It exists already, or somebody else holds it."""


class DataError(AtelierError):
    """A source file or the store is missing, damaged or not what it says it is."""


class ClusterError(AtelierError):
    """The Dask cluster can't do the work."""


class StorageError(AtelierError):
    """Where models, data or runs lie can't be reached, read or written."""


class RunError(AtelierError):
    """A run's files on disk can't be read, written or continued."""


class SweepError(AtelierError):
    """A sweep's files can't be read, or some of its trials failed."""


class Cancelled(AtelierError):
    """The run was cancelled or paused, as asked; `outcome` is the one or the other."""

    def __init__(self, run: str, asked: str, last_round: int) -> None:
        self.outcome = "paused" if asked == "pause" else "cancelled"
        super().__init__(
            f"run {run} was {self.outcome} after round {last_round}; `atelier runs resume {run}` continues it"
        )
