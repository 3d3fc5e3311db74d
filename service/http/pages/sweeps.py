"""The sweeps that have a report, as pages show them. The sweep writes it: nothing is computed here."""

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from service.errors import NotFound
from service.home import Home


def all_sweeps(home: Home) -> list[dict[str, Any]]:
    """The report of every sweep, the one that changed last first: `sweep`, `method`, `planned`, `rows`."""
    folders = [path.parent for path in home.sweeps.glob("*/report.json")]
    newest_first = sorted(folders, key=lambda folder: (folder / "report.json").stat().st_mtime, reverse=True)
    return [report for folder in newest_first if (report := _read(folder))]


def find_sweep(home: Home, name: str) -> tuple[dict[str, Any], str]:
    """The report of a sweep and its picture, an SVG. Raises NotFound."""
    folder = home.sweeps / name
    report = _read(folder)
    if report is None:
        raise NotFound(f"there is no sweep {name!r} with a report")
    picture = folder / "report.svg"
    return report, picture.read_text(encoding="utf-8") if picture.is_file() else ""


def _read(folder: Path) -> dict[str, Any] | None:
    with suppress(OSError, ValueError):
        report: dict[str, Any] = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        if all(name in report for name in ("sweep", "method", "planned", "rows")):
            return report
    return None
