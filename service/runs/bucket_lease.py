"""The lease on a run in a bucket: an object `lease/<fencing number>.json`, written only where there is none."""

from contextlib import suppress

from service.errors import Conflict, NotFound
from service.runs.holder import Holder
from service.runs.lease import LeaseRecord
from service.storage import Bucket

FOLDER = "lease"


class BucketLeases:
    """`Leases` in a bucket. A renewal replaces the object only while it is the one that was looked at."""

    def __init__(self, bucket: Bucket, run: str) -> None:
        self.run = run
        self._bucket = bucket
        self._tag = ""

    def current(self) -> LeaseRecord | None:
        for number in sorted(self._numbers(), reverse=True):
            try:
                found = self._bucket.read_tagged(_key(number))
            except NotFound:
                continue
            self._tag = found.tag
            try:
                return LeaseRecord.from_json(found.content.decode())
            except (ValueError, TypeError, KeyError):  # what somebody else wrote there counts as its age tells
                written = self._bucket.time_of(_key(number)).timestamp()
                return LeaseRecord(number, "", Holder(), renewed_at=written)
        return None

    def create(self, record: LeaseRecord) -> bool:
        return self._bucket.create(_key(record.number), record.to_json().encode())

    def renew(self, record: LeaseRecord) -> None:
        content = record.to_json().encode()
        try:
            self._bucket.write(_key(record.number), content, self._tag)
        except (Conflict, NotFound):
            with suppress(NotFound):
                if self._bucket.read(_key(record.number)) == content:  # only the answer was lost
                    return
            raise Conflict(f"the lease on run {self.run} was changed or removed by another process") from None

    def clear_earlier(self, number: int) -> None:
        self._bucket.remove(*(_key(earlier) for earlier in self._numbers() if earlier < number))

    def _numbers(self) -> list[int]:
        names = (key.rpartition("/")[2].removesuffix(".json") for key in self._bucket.tags(FOLDER))
        return [int(name) for name in names if name.isdigit()]


def _key(number: int) -> str:
    return f"{FOLDER}/{number}.json"
