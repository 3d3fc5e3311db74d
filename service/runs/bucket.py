"""A run in a bucket: objects below `runs/<id>/`, written by conditional requests where two writers could meet.

config.json                       written last when the run begins: from here on there is a run
start/<token>/                    the state that it starts from, if not fresh parameters
log/<number>.jsonl                see `service.runs.segments`
checkpoints/<n>/                  see `service.runs.bucket_checkpoints`
lease/<number>.json               see `service.runs.bucket_lease`
requests/cancel, requests/pause
deleted                           first when it is deleted: from here on there is none
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from secrets import token_hex
from typing import TYPE_CHECKING, Any, ClassVar

from service.config import TrainConfig
from service.errors import Conflict, NotFound, RunError
from service.files import canonical_json
from service.runs.bucket_lease import BucketLeases
from service.runs.chain import Entry
from service.runs.lease import Lease, taken
from service.runs.request_watch import RequestWatch
from service.runs.run import REQUESTS, Request, Run
from service.runs.segment_log import SegmentLog
from service.runs.segments import entries, lines, segment_key, split_lines, tail
from service.storage import Address, Bucket
from service.storage.conditions import check_conditional_writes

if TYPE_CHECKING:
    from service.rounds.train_state import TrainState
    from service.runs.bucket_checkpoints import BucketCheckpoints
    from service.runs.checkpoints import Checkpoint

CONFIG, START, DELETED = "config.json", "start", "deleted"


class BucketRun(Run):
    """A `Run` in a bucket."""

    poll_s: ClassVar[float] = 1.0

    def __init__(self, place: Address, *, patient: bool = True) -> None:
        """Send no request yet.

        Args:
            place: where it lies.
            patient: whether to wait for a storage that is away, as a training does; not where somebody waits for us.
        """
        self._place = place
        self._bucket = Bucket(place, patient=patient)
        self._requests = RequestWatch(self._bucket)

    @classmethod
    def create(
        cls, runs: Address, run: str, config: TrainConfig, start: "Checkpoint | None", **facts: Any
    ) -> "BucketRun":
        """Begin a run. See `service.runs.inventory.begin_run`."""
        found = cls(runs / run)
        bucket, token = found._bucket, token_hex(8)
        check_conditional_writes(Bucket(runs))
        if any(not key.startswith(f"{START}/") for key in bucket.sizes()):
            raise Conflict(f"run {run} exists already")
        if start is not None:
            from service.runs.checkpoints import to_files  # here and below: whoever lists runs needs no arrays

            for name, content in to_files(start).items():
                bucket.put(f"{START}/{token}/{name}", content)
        settings = {"run": run, "config": config.model_dump(mode="json"), **facts, "token": token}
        if not bucket.create(CONFIG, (canonical_json(settings) + "\n").encode()):
            raise Conflict(f"run {run} exists already")
        return found

    @property
    def place(self) -> Address:
        return self._place

    @property
    def checkpoints(self) -> "BucketCheckpoints":
        from service.runs.bucket_checkpoints import BucketCheckpoints

        return BucketCheckpoints(self._bucket)

    def exists(self) -> bool:
        return self._bucket.exists(CONFIG) and not self._bucket.exists(DELETED)

    def start(self) -> "TrainState | None":
        from service.runs.checkpoints import from_files

        folder = f"{START}/{self.facts().get('token', '')}"
        if not self._bucket.tags(folder):
            return None
        where = f"{self.place}/{folder}"
        return from_files(where, lambda name: self._bucket.read(f"{folder}/{name}")).state

    def facts(self) -> dict[str, Any]:
        try:
            facts: dict[str, Any] = json.loads(self._bucket.read(CONFIG))
            if not isinstance(facts, dict):
                raise ValueError("it is no JSON object")
        except NotFound:
            raise RunError(f"{self.place}/{CONFIG} can't be read: it isn't there") from None
        except ValueError as error:
            raise RunError(f"{self.place}/{CONFIG} is damaged: {error}") from None
        return facts

    def entries(self) -> Iterator[Entry]:
        return entries(self.place, self._bucket)

    def tail(self, position: int) -> tuple[list[Entry], int]:
        """The position is the number of a segment."""
        return tail(self.place, self._bucket, position)

    def open_log(self, lease: Lease) -> SegmentLog:
        return SegmentLog(self.place, self._bucket, lease)

    @contextmanager
    def held(self) -> Iterator[Lease]:
        with taken(self._leases(), "unavailable") as lease:
            if not self.exists():  # it was deleted since it was found
                raise NotFound(f"there is no run {self.name!r} any more")
            yield lease

    def is_held(self) -> bool:
        lease = self._leases().current()
        return lease is not None and not lease.is_free("unavailable")

    def request(self, what: Request) -> None:
        self._bucket.put(f"requests/{what}", b"")

    def requested(self) -> Request | None:
        """What a thread found that looks once in a while."""
        return self._requests.last()

    def clear_requests(self) -> None:
        self._requests.forget()
        self._bucket.remove(*(f"requests/{what}" for what in REQUESTS))
        self._requests.forget()

    def created(self) -> datetime:
        return self._bucket.time_of(CONFIG)

    def started(self) -> str:
        try:
            first = split_lines(self._bucket.read(segment_key(0)))[0]  # the fence of the first process
            return str(json.loads(first)["at"])
        except (NotFound, ValueError, KeyError, IndexError):
            return self.created().isoformat()

    def size(self) -> int:
        return sum(self._bucket.sizes().values())

    def delete(self) -> None:
        with self.held():
            self._bucket.put(DELETED, b"")
            self._bucket.remove(*(key for key in self._bucket.sizes() if key != DELETED))
            self._bucket.remove(DELETED)

    def read_log(self) -> bytes:
        return b"".join(line for _, line in lines(self.place, self._bucket))

    def read_text(self, key: str) -> str:
        return self._bucket.read(key).decode()

    def write_text(self, key: str, text: str) -> None:
        self._bucket.put(key, text.encode())

    def _leases(self) -> BucketLeases:
        """They ask a storage that is away for less long: the next renewal is due soon anyway."""
        return BucketLeases(Bucket(self._place), self.name)
