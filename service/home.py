"""Where things lie on disk, as the environment says, handed down as a value."""

import os
import sys
from dataclasses import dataclass
from errno import EACCES, ENOSPC, EROFS
from pathlib import Path
from shutil import disk_usage

from service.errors import AtelierError, InvalidInput
from service.storage.address import Place, place_of, wrong_endpoint

LEAST_FREE_BYTES = 32 << 20
"""With less room than this nothing is begun: Prefect's own database would not come up, and say so late and long."""


def check_text(name: str, value: str) -> None:
    """Raise InvalidInput for what JSON and a database can't hold: the name of a file that isn't UTF-8."""
    try:
        value.encode()
    except UnicodeEncodeError:
        names = sys.getfilesystemencoding()
        hint = "" if names == "utf-8" else f"; file names are read as {names} here, with PYTHONUTF8=1 as UTF-8"
        raise InvalidInput(f"{name} must be text in UTF-8, got {value!r}{hint}") from None


@dataclass(frozen=True)
class Home:
    """The folder that holds all data, runs and models (`ATELIER_HOME`, by default `~/.atelier`).

    Where `ATELIER_HOME` is an address, all three lie below it, and the folder holds what this machine alone needs:
    caches, sweeps, and Prefect's own server.

    Attributes:
        root: the folder (`ATELIER_LOCAL` where the home is an address).
        elsewhere: where the models lie instead (`ATELIER_MODELS`): another folder, or `s3://bucket/prefix`.
        data_elsewhere: where the data sets lie instead (`ATELIER_DATA`), likewise.
        runs_elsewhere: where the runs lie instead (`ATELIER_RUNS`), likewise.
    """

    root: Path
    elsewhere: str = ""
    data_elsewhere: str = ""
    runs_elsewhere: str = ""

    @classmethod
    def from_environment(cls) -> "Home":
        """The home that the environment names.

        Raises:
            InvalidInput: Its name is no text, data can't lie where they are to, or the endpoint of their storage is no
                address.
        """
        named = os.environ.get("ATELIER_HOME") or "~/.atelier"
        check_text("ATELIER_HOME", named)
        parts = {name: os.environ.get(f"ATELIER_{name.upper()}", "") for name in ("models", "data", "runs")}
        if "://" in named:
            home = place_of(named, "data, runs and models")
            parts = {name: place or str(home / name) for name, place in parts.items()}
            named = os.environ.get("ATELIER_LOCAL") or "~/.atelier"
            check_text("ATELIER_LOCAL", named)
        uses_storage = any("://" in place for place in parts.values())
        if uses_storage and (wrong := wrong_endpoint(os.environ)):
            raise InvalidInput(wrong)
        for name in ("data", "runs"):
            place_of(parts[name], name)
        return cls(Path(named).expanduser().absolute(), parts["models"], parts["data"], parts["runs"])

    @property
    def data(self) -> Place:
        """The place of all data sets."""
        return place_of(self.data_elsewhere, "data") if self.data_elsewhere else self.root / "data"

    @property
    def runs(self) -> Place:
        """The place of all runs."""
        return place_of(self.runs_elsewhere, "runs") if self.runs_elsewhere else self.root / "runs"

    @property
    def models(self) -> Path | str:
        """What `Registry` takes: a folder, or an address."""
        if "://" in self.elsewhere:
            return self.elsewhere
        return Path(self.elsewhere).expanduser().absolute() if self.elsewhere else self.root / "models"

    @property
    def sweeps(self) -> Path:
        return self.root / "sweeps"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def store(self, dataset: str) -> Place:
        """Where the Zarr store of a data set lies; in object storage, where it is said which store that is."""
        return self.data / f"{dataset}.zarr"

    def prepare(self) -> None:
        """Make the folders. Raises AtelierError where they can't be made or written to, or there is hardly any room."""
        try:
            places = (self.data, self.runs, self.models, self.sweeps, self.cache)
            for folder in (place for place in places if isinstance(place, Path)):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK):
                    refusal = EROFS if os.statvfs(folder).f_flag & os.ST_RDONLY else EACCES
                    raise OSError(refusal, os.strerror(refusal), str(folder))
            if disk_usage(self.root).free < LEAST_FREE_BYTES:
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(self.root))
        except OSError as error:
            raise AtelierError(
                f"can't write to {error.filename or self.root}: {error.strerror}; set ATELIER_HOME to another folder"
            ) from None
