"""an archive (tar or zip)

It is unpacked into a temporary folder, within limits, and what is there is read as if it had been given itself.
"""

import tarfile
import tempfile
import zipfile
from collections.abc import Generator
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import IO

from service.data.formats.base import Examples, Reading
from service.data.formats.registry import find
from service.errors import DataError

MAX_FILES = 5_000_000
FREE_BYTES = 4 << 30
"""What any archive may hold."""

MAX_RATIO = 100
"""How many times its own size a larger one may hold. Pixels as text shrink to a tenth, zeros to a thousandth."""

MAX_HEADER = 1 << 20
"""What a header may take beside a file: `tarfile` reads those of long names and of other facts into memory."""

ZIP_START = b"PK\x03\x04"


@dataclass(frozen=True)
class _Member:
    """A file in an archive. size: as its header says, which is not to be trusted."""

    name: str
    file: IO[bytes]


class _Entry(tarfile.TarInfo):
    """An entry of a tar whose headers have a limit."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:
        if not self.isreg() and self.size > MAX_HEADER:
            raise DataError(f"{tar.name!s} has a header of {self.size:,} bytes, more than {MAX_HEADER:,}")
        entry: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]  # the stubs don't know it
        return entry


def recognizes(source: Path) -> bool:
    """Whether a file is a tar, compressed or not, or a zip that isn't NumPy's."""
    if not source.is_file() or source.suffix == ".npz":
        return False
    try:
        with source.open("rb") as file:
            if file.read(4) == ZIP_START:
                return True
        with tarfile.open(source, tarinfo=_Entry):
            return True
    except DataError:  # it is one, and is refused when it is read
        return True
    except Exception:  # whatever a decompressor says of a file that isn't its own
        return False


def read(source: Path, reading: Reading) -> Examples:
    """The examples in an archive. Raises DataError for one that leads elsewhere, is a bomb or holds no known format."""
    try:
        with tempfile.TemporaryDirectory(prefix="unpacked-", dir=reading.scratch) as scratch:
            root = Path(scratch)
            reading.say(f"unpacking {source}")
            _unpack(source, root, reading)
            return _read_unpacked(source, root, reading)
    except OSError as error:
        raise DataError(f"{source} can't be unpacked: {error.strerror or error}") from None


def _read_unpacked(source: Path, root: Path, reading: Reading) -> Examples:
    place = root
    while len(entries := list(place.iterdir())) == 1 and place.is_dir():
        place = entries[0]
        if not place.is_dir():
            break
    found = find(place) or find(root)
    if found is None or found.name == "archive":
        raise DataError(
            f"{source} holds nothing that can be read: neither pictures in folders, one for each class, "
            "nor files of another format"
        )

    def named(message: str) -> str:
        return message.replace(f"{root}/", f"{source}:").replace(str(root), str(source))

    reading.say(f"{source} holds {found.title}")
    try:
        examples = found.format.read(place, replace(reading, say=lambda message: reading.say(named(message))))
    except DataError as error:
        raise DataError(named(str(error))) from None
    return replace(examples, format=f"{found.title}, in an archive")


def _unpack(source: Path, root: Path, reading: Reading) -> None:
    limit = max(FREE_BYTES, MAX_RATIO * source.stat().st_size)
    total = count = 0
    try:
        with closing(_members(source, reading)) as members:
            for member in members:
                with member.file, _new_file(root, _parts(source, member.name)) as file:
                    while block := member.file.read(1 << 20):
                        total += len(block)
                        if total > limit:
                            raise DataError(f"{source} holds more than {limit:,} bytes, unpacked")
                        file.write(block)
                count += 1
                if count > MAX_FILES:
                    raise DataError(f"{source} holds more than {MAX_FILES:,} files")
    except (DataError, OSError):
        raise
    except Exception as error:  # decompressors raise what they like
        raise DataError(f"{source} is damaged: {' '.join(str(error).split()) or type(error).__name__}") from None
    if not count:
        raise DataError(f"{source} holds no files")


def _new_file(root: Path, parts: tuple[str, ...]) -> IO[bytes]:
    target = root.joinpath(*parts)
    target.parent.mkdir(parents=True, exist_ok=True)
    return target.open("wb")


def _members(source: Path, reading: Reading) -> Generator[_Member, None, None]:
    others = 0
    if zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for info in archive.infolist():
                if not info.is_dir():
                    yield _Member(info.filename, archive.open(info))
        return
    with tarfile.open(source, tarinfo=_Entry) as tar:
        for entry in tar:
            file = tar.extractfile(entry) if entry.isreg() else None
            if file is not None:
                yield _Member(entry.name, file)
            elif not entry.isdir():
                others += 1
            tar.members = []  # type: ignore[attr-defined]  # it would keep them all, and the stubs don't know them
    if others:
        reading.say(f"{others} links and other entries of {source} that are no files were left out")


def _parts(source: Path, name: str) -> tuple[str, ...]:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or not path.parts or "\0" in name:
        raise DataError(f"{source} has an entry that leads out of it: {name!r}")
    return path.parts
