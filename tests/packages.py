"""A package of somebody else's, as far as Python can tell."""

from pathlib import Path

import pytest


def install(
    folder: Path, monkeypatch: pytest.MonkeyPatch, name: str, source: str, entry_points: dict[str, dict[str, str]]
) -> None:
    """Make a module of one file importable, and announce its entry points: for each group, objects by their names."""
    (folder / f"{name}.py").write_text(source)
    information = folder / f"{name}-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    lines = []
    for group, objects in entry_points.items():
        lines += [f"[{group}]", *(f"{key} = {place}" for key, place in objects.items())]
    (information / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)
