"""Where things lie on disk. The environment is read here, once, and handed down as a value."""

import os
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from shutil import disk_usage

from service.errors import AtelierError

LEAST_FREE_BYTES = 32 << 20
"""With less room than this nothing is begun: Prefect's own database would not come up, and say so late and long."""


@dataclass(frozen=True)
class Home:
    """The folder that holds all data, runs and models (`ATELIER_HOME`, by default `~/.atelier`)."""

    root: Path

    @classmethod
    def from_environment(cls) -> "Home":
        """The home that the environment names."""
        return cls(Path(os.environ.get("ATELIER_HOME") or "~/.atelier").expanduser().absolute())

    @property
    def data(self) -> Path:
        return self.root / "data"

    @property
    def runs(self) -> Path:
        return self.root / "runs"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def sweeps(self) -> Path:
        return self.root / "sweeps"

    @property
    def cache(self) -> Path:
        return self.root / "cache"

    def store(self, dataset: str) -> Path:
        """Where the Zarr store of a data set lies."""
        return self.data / f"{dataset}.zarr"

    def prepare(self) -> None:
        """Make the folders. Raises AtelierError where they can't be made or written to, or there is hardly any room."""
        try:
            for folder in (self.data, self.runs, self.models, self.sweeps, self.cache):
                folder.mkdir(parents=True, exist_ok=True)
                if not os.access(folder, os.W_OK):
                    raise PermissionError(13, "Permission denied", str(folder))
            if disk_usage(self.root).free < LEAST_FREE_BYTES:
                raise OSError(ENOSPC, os.strerror(ENOSPC), str(self.root))
        except OSError as error:
            raise AtelierError(
                f"can't write to {error.filename or self.root}: {error.strerror}; set ATELIER_HOME to another folder"
            ) from None
