"""Writing that survives a crash: a file or folder is there whole, or not at all."""

import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


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


def canonical_json(value: Any) -> str:
    """JSON on one line with sorted keys: equal values, equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
