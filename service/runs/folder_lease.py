"""The lease on a run in a folder: a file `lease/<fencing number>`, also on file systems whose locks don't work.

It appears by an atomic exclusive link. Where `flock` works it is held too: it tells at once that another process of
this machine works on the run, and it is what versions without leases look at.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from service.runs.holder import Holder, file_lock, lock_state
from service.runs.lease import Lease, LeaseRecord, taken


class FolderLeases:
    """`Leases` in a folder."""

    def __init__(self, folder: Path) -> None:
        self.run = folder.parent.name
        self._folder = folder

    def current(self) -> LeaseRecord | None:
        return current_lease(self._folder)

    def create(self, record: LeaseRecord) -> bool:
        target, draft = self._folder / str(record.number), self._write_draft(record)
        try:
            try:
                os.link(draft, target)
            except FileExistsError:
                return False
            except OSError:  # a file system without hard links
                with target.open("x") as file:
                    file.write(record.to_json())
        except FileExistsError:
            return False
        finally:
            draft.unlink(missing_ok=True)
        return True

    def renew(self, record: LeaseRecord) -> None:
        self._write_draft(record).replace(self._folder / str(record.number))

    def clear_earlier(self, number: int) -> None:
        for path in self._folder.iterdir():
            draft_of = path.name[1:].partition("-")[0] if path.name.startswith(".") else ""
            is_draft = draft_of.isdigit() and int(draft_of) <= number
            if is_draft or (path.name.isdigit() and int(path.name) < number):
                path.unlink(missing_ok=True)

    def _write_draft(self, record: LeaseRecord) -> Path:
        draft = self._folder / f".{record.number}-{record.token}"
        draft.write_text(record.to_json())
        return draft


@contextmanager
def lease_on(run: Path) -> Iterator[Lease]:
    """Hold the lease on a run while the block lasts. See `service.runs.lease.taken`.

    Args:
        run: the run's folder.

    Raises:
        Conflict: another process works on the run.
    """
    with file_lock(run / "lock") as lock:
        folder = run / "lease"
        folder.mkdir(exist_ok=True)
        with taken(FolderLeases(folder), lock) as lease:
            yield lease


def is_held(run: Path) -> bool:
    """Whether some process seems to work on a run, as far as can be told without waiting. Nothing is written."""
    lease, lock = current_lease(run / "lease"), lock_state(run / "lock")
    return lock == "busy" or (lease is not None and not lease.is_free(lock))


def current_lease(folder: Path) -> LeaseRecord | None:
    """The lease with the highest number in a folder of leases; None where there is none."""
    for number in sorted(_numbers(folder), reverse=True):
        with suppress(FileNotFoundError):
            return _read(folder / str(number))
    return None


def _read(path: Path) -> LeaseRecord:
    """Read a lease. One that is cut short counts as its file's age tells, and nothing is known of its holder."""
    text, written_at = path.read_text(), path.stat().st_mtime
    try:
        return LeaseRecord.from_json(text)
    except (ValueError, TypeError, KeyError):
        return LeaseRecord(int(path.name), "", Holder(), renewed_at=written_at)


def _numbers(folder: Path) -> list[int]:
    try:
        return [int(path.name) for path in folder.iterdir() if path.name.isdigit()]
    except FileNotFoundError:
        return []
