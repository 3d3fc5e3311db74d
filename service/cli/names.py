"""The names of runs and models as a shell completes them: read from folders, without anything that takes long."""

from pathlib import Path

import click

from service.errors import AtelierError
from service.home import Home

MOST = 200
"""Names that are offered at a time; a shell shows no more in any useful way."""


def run_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The runs whose names begin so, the newest names first; none where they lie in object storage, as below."""
    runs = _home().runs
    return _names_in(runs, incomplete, "config.json")[:MOST] if isinstance(runs, Path) else []


def model_names(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The models whose names begin so; none where they lie in object storage, which would take too long."""
    models = _home().models
    return sorted(_names_in(models, incomplete, ""))[:MOST] if isinstance(models, Path) else []


def _home() -> Home:
    try:
        return Home.from_environment()
    except AtelierError:
        return Home(Path("/nonexistent"))


def _names_in(folder: Path, incomplete: str, holds: str) -> list[str]:
    try:
        names = [path.name for path in folder.iterdir() if path.name.startswith(incomplete) and path.name[0] != "."]
        return sorted((name for name in names if (folder / name / holds).exists()), reverse=True)
    except OSError:
        return []
