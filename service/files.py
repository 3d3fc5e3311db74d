"""Writing that survives a crash: a file or folder is there whole, or not at all; and by one process at a time."""

import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from errno import ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP
from pathlib import Path
from typing import Any

NO_LOCKS = {ENOLCK, ENOSYS, ENOTSUP, EOPNOTSUPP}
"""What `flock` answers on network and user-space file systems that have no locks."""

STALE_SECONDS = 60.0
"""Without locks: a process that has held a file for so long is held to be dead."""

POLL_SECONDS = 0.05


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary sibling to fill; on leaving it is flushed to disk and renamed to `target`.

    Whatever goes wrong inside, nothing is left behind. Raises FileExistsError where `target` exists by then.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    try:
        yield draft
        draft.chmod(0o755)
        for folder, _, names in os.walk(draft):
            for name in names:
                flush(Path(folder) / name)
            flush(Path(folder))
        try:
            draft.rename(target)
        except OSError as error:
            if target.exists():
                raise FileExistsError(error.errno, "already exists", str(target)) from None
            raise
        flush(target.parent)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise


def replace_file(target: Path, write: Callable[[Path], Any]) -> None:
    """Have `write` fill a temporary sibling, then put it in the place of `target` in one step."""
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}-", dir=target.parent)
    os.close(handle)
    draft = Path(name)
    try:
        write(draft)
        draft.chmod(0o644)
        flush(draft)
        draft.replace(target)
        flush(target.parent)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def clear_drafts(folder: Path) -> None:
    """Remove what processes left in a folder that died while they wrote; for who alone writes there now."""
    for draft in folder.glob(".*-*"):
        if draft.is_dir():
            shutil.rmtree(draft, ignore_errors=True)
        else:
            draft.unlink(missing_ok=True)


def flush(path: Path) -> None:
    """Make sure that a file's content, or a folder's entries, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def size_of(path: Path) -> int:
    """How many bytes a file has, or all files of a folder have; what vanishes meanwhile counts nothing."""
    if path.is_file():
        return path.stat().st_size
    total = 0
    for folder, _, names in os.walk(path):
        for name in names:
            with suppress(OSError):
                total += (Path(folder) / name).lstat().st_size
    return total


def canonical_json(value: Any) -> str:
    """JSON on one line with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def is_locked(path: Path) -> bool:
    """Whether some process holds the lock on a file; not on a file system without locks."""
    try:
        with path.open() as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


@contextmanager
def locked(path: Path, on_wait: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock on a file while the block lasts.

    The system releases it when the process ends, however it ends. On a file system without locks a folder beside the
    file takes its place, and one that a process left when it died is removed after `STALE_SECONDS`.

    Args:
        path: the file, which is made if it isn't there.
        on_wait: called once if another process holds it.
    """
    with path.open("a") as file:
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                on_wait()
                fcntl.flock(file, fcntl.LOCK_EX)
        except OSError as error:
            if error.errno not in NO_LOCKS:
                raise
            with _marked(path.with_name(f"{path.name}.held"), on_wait):
                yield
            return
        yield


@contextmanager
def _marked(folder: Path, on_wait: Callable[[], object]) -> Iterator[None]:
    waits = False
    while True:
        with suppress(FileExistsError):
            folder.mkdir()
            break
        if not waits:
            waits = True
            on_wait()
        with suppress(OSError):  # the other process is done
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                folder.rmdir()
        time.sleep(POLL_SECONDS)
    try:
        yield
    finally:
        folder.rmdir()
