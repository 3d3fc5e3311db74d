"""Checkpoints in a bucket: the arrays first, then the cursor, which has their digest and makes them a checkpoint."""

from contextlib import suppress
from dataclasses import dataclass

from service.errors import RunError
from service.runs.checkpoints import ARRAYS, CURSOR, Checkpoint, from_files, to_files
from service.storage import Bucket

FOLDER = "checkpoints"


@dataclass(frozen=True)
class BucketCheckpoints:
    """`Checkpoints` below `checkpoints/` of a run.

    A run's state after a round has the same bits whoever computes it. So two processes that write the same checkpoint
    write the same objects.

    Attributes:
        bucket: the run's objects.
    """

    bucket: Bucket

    def numbers(self) -> list[int]:
        folders = (key.removesuffix(f"/{CURSOR}") for key in self.bucket.tags(FOLDER) if key.endswith(f"/{CURSOR}"))
        names = (folder.rpartition("/")[2] for folder in folders)
        return sorted((int(name) for name in names if name.isdigit()), reverse=True)

    def read(self, number: int) -> Checkpoint:
        folder = f"{FOLDER}/{number}"
        return from_files(f"{self.bucket.root}/{folder}", lambda name: self.bucket.read(f"{folder}/{name}"))

    def write(self, checkpoint: Checkpoint) -> None:
        folder, files = f"{FOLDER}/{checkpoint.number}", to_files(checkpoint)
        self.bucket.put(f"{folder}/{ARRAYS}", files[ARRAYS])
        if self.bucket.create(f"{folder}/{CURSOR}", files[CURSOR]):
            return
        with suppress(RunError):
            if self.read(checkpoint.number).state.digests == checkpoint.state.digests:
                return
        self.bucket.remove(f"{folder}/{CURSOR}")
        self.bucket.create(f"{folder}/{CURSOR}", files[CURSOR])

    def remove(self, number: int) -> None:
        self.bucket.remove(f"{FOLDER}/{number}/{CURSOR}")
        self.bucket.remove(f"{FOLDER}/{number}/{ARRAYS}")

    def clear_drafts(self) -> None:
        """Arrays without a cursor are written over with the same ones."""
