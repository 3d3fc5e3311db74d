"""The card and the licence that lie beside data."""

from pathlib import Path

MAX_BYTES = 64 << 10


def texts_in(folder: Path) -> tuple[str, str]:
    """The text of a README and of a LICENSE in a folder; empty where there is none, or it is no text."""
    return _text(folder, ("README",)), _text(folder, ("LICENSE", "LICENCE", "COPYING"))


def _text(folder: Path, names: tuple[str, ...]) -> str:
    try:
        for path in sorted(folder.iterdir()):
            if path.stem.upper() in names and path.suffix.lower() in ("", ".md", ".txt", ".rst") and path.is_file():
                with path.open("rb") as file:
                    return file.read(MAX_BYTES).decode(errors="replace").strip()
    except OSError:
        pass
    return ""
