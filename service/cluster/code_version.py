"""Which code a process runs: a worker with another version of the package may fail at a task, or compute other bits."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from ops.engines.fingerprint import PACKAGE, digest_of_sources
from service import __version__

LOAD_ERRORS = ("ModuleNotFoundError(", "ImportError(", "AttributeError(")
"""What the text begins with by which Dask tells that a worker could not read a call."""


@cache
def code_version() -> str:
    """The package's version, and a digest of the sources that tasks are made of: `0.1.0, code 3f2a91c04d5e`."""
    sources = "".join(map(digest_of_sources, (PACKAGE, Path(__file__).parents[1])))
    return f"{__version__}, code {sha256(sources.encode()).hexdigest()[:12]}"


def why_other_code(worker: str, found: str) -> str:
    """One line for people about a worker that runs other code. found: its `code_version`, empty for an older one's."""
    return (
        f"worker {worker} runs another version of Atelier ({found or 'an older one'}; this process has "
        f"{code_version()}): start it with the same one, or the run may fail or end in other bits"
    )


def is_load_error(error: Exception) -> bool:
    """Whether this is what Dask answers for a worker whose code lacks what a call is made of."""
    return type(error) is Exception and str(error).startswith(LOAD_ERRORS)


def why_cannot_load(worker: str, error: Exception) -> str:
    """One line for people about a worker that gets no tasks, since it can't load them."""
    return (
        f"worker {worker} gets no tasks: it can't load them ({str(error).splitlines()[0]}); "
        f"start it with this version of Atelier ({code_version()})"
    )
