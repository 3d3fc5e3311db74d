"""A folder on this machine, or on a file system that several machines share: publication is one rename."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from time import time

from service.errors import Conflict, NotFound, StorageError
from service.files import locked, new_folder, replace_file
from service.storage.contract import DELETED, MANIFEST, Stored


class LocalStorage:
    """A `Storage` in a folder. A soft-deleted folder is renamed; of a purged one an empty folder keeps the name."""

    def __init__(self, folder: Path) -> None:
        self.root = str(folder)
        self._folder = folder

    def read(self, key: str) -> Stored:
        path = self._folder / key
        with _storage_errors(key):
            return _stored(path)

    def write(self, key: str, content: bytes, replaces: str | None) -> None:
        path = self._folder / key
        with _storage_errors(key), _locked(path.parent):
            there = _stored(path).tag if path.is_file() else None
            if there != replaces:
                raise Conflict(f"{key} was changed by somebody else")
            replace_file(path, lambda draft: draft.write_bytes(content))

    def remove(self, key: str) -> None:
        path = self._folder / key
        with _storage_errors(key):
            path.unlink(missing_ok=True)

    def publish(self, folder: str, files: Mapping[str, bytes]) -> None:
        target = self._folder / folder
        with _storage_errors(folder), _locked(target.parent):
            if _deleted_path(target).exists():
                raise Conflict(f"{folder} was used before")
            try:
                with new_folder(target) as draft:
                    for name, content in files.items():
                        (draft / name).write_bytes(content)
            except FileExistsError:
                raise Conflict(f"{folder} exists already") from None

    def published(self, parent: str = "") -> list[str]:
        with _storage_errors(parent):
            parents = [self._folder / parent] if parent else _folders(self._folder)
            found = [path for each in parents for path in _folders(each) if not path.name.startswith(".")]
            return sorted(f"{path.parent.name}/{path.name}" for path in found if (path / MANIFEST).is_file())

    def used(self, parent: str) -> list[str]:
        with _storage_errors(parent):
            return sorted(path.name.removeprefix(DELETED) for path in _folders(self._folder / parent))

    def soft_delete(self, folder: str) -> None:
        target = self._folder / folder
        with _storage_errors(folder), _locked(target.parent, make=False):
            if not (target / MANIFEST).is_file():
                raise NotFound(f"{folder} isn't there")
            os.utime(target)  # before the rename, so that `purge` never takes an older time for that of the deletion
            target.rename(_deleted_path(target))

    def restore(self, folder: str) -> None:
        target = self._folder / folder
        with _storage_errors(folder), _locked(target.parent, make=False):
            if not (_deleted_path(target) / MANIFEST).is_file():
                raise NotFound(f"{folder} isn't deleted")
            _deleted_path(target).rename(target)

    def purge(self, grace_s: float) -> list[str]:
        gone = []
        for folder in sorted(self._folder.glob(f"*/{DELETED}*")):
            with _storage_errors(folder.name), _locked(folder.parent):
                if not folder.is_dir() or time() - folder.stat().st_mtime < grace_s or not any(folder.iterdir()):
                    continue
                for path in [folder / MANIFEST, *folder.iterdir()]:
                    path.unlink(missing_ok=True)
                gone.append(f"{folder.parent.name}/{folder.name.removeprefix(DELETED)}")
        return gone


def _deleted_path(folder: Path) -> Path:
    return folder.with_name(f"{DELETED}{folder.name}")


def _folders(parent: Path) -> list[Path]:
    """Folders below one, soft-deleted ones too; not the drafts that publishers write. Raises StorageError."""
    try:
        entries = list(parent.iterdir())
    except FileNotFoundError:
        return []
    except NotADirectoryError:
        raise StorageError(f"{parent} is no folder") from None
    return [path for path in entries if _may_be_published(path.name) and path.is_dir()]


def _may_be_published(name: str) -> bool:
    return name.startswith(DELETED) or not name.startswith(".")


def _stored(path: Path) -> Stored:
    content = path.read_bytes()
    return Stored(content, sha256(content).hexdigest())


@contextmanager
def _locked(parent: Path, *, make: bool = True) -> Iterator[None]:
    """One writer below a parent at a time; readers never wait. make: the parent too, if it isn't there."""
    if make:
        parent.mkdir(parents=True, exist_ok=True)
    with locked(parent / ".lock"):
        yield


@contextmanager
def _storage_errors(key: str) -> Iterator[None]:
    """Turn what the system refuses into a NotFound or a StorageError of one line."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError):
        raise NotFound(f"{key} isn't there") from None
    except OSError as error:
        where = error.filename or key
        raise StorageError(f"{where} can't be read or written: {error.strerror or error}") from None
