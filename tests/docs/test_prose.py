"""The documents' prose has short lines, and the files and modules that it names are there."""

import re
from pathlib import Path
from pkgutil import resolve_name

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]
FOLDERS = ("ops", "service", "flows", "tests", "docs", ".ci")
FILES = [
    path.relative_to(ROOT).as_posix()
    for path in [*ROOT.iterdir(), *(found for folder in FOLDERS for found in (ROOT / folder).rglob("*"))]
]

WIDTH = 120

CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
NOT_PROSE = ("|", "    ", "![", "#")
"""How lines begin that are as long as they have to be: tables, commands, pictures, headings."""

SPAN = re.compile(r"`([^`\n]+)`")
FILE = re.compile(
    r"[\w.-]+(/[\w.-]+)*\.(py|cu|cuh|sh|md|toml|lock|sql|yml)|(ops|service|flows|tests|docs)(/[\w.-]+)+/?"
)
MODULE = re.compile(r"(ops|service|flows|tests)(\.[a-z_]\w*)+")

EXPECTED_MISSING = {
    # A file that the reader writes.
    "docs/networks.md": {"my-net.toml"},
    # The files that the examples add, and those that such a change used to touch.
    "docs/extending.md": {
        "alone.py",
        "ops/engines/simd/kernels/softsign.py",
        "ops/layers/softsign.py",
        "period.py",
        "service/data/formats/npy.py",
        "service/tracking/accuracies.py",
        "service/job.py",
        "service/rounds/strategies/fedadam.py",
    },
}


def long_lines(text: str) -> list[str]:
    """The lines of prose that are longer than WIDTH."""
    return [line for line in CODE.sub("", text).splitlines() if len(line) > WIDTH and not line.startswith(NOT_PROSE)]


def is_there(name: str, page: Path) -> bool:
    """Whether a file or folder has this path, or ends in it, as `codegen/code.py` does."""
    return (page.parent / name).exists() or any(f"/{file}".endswith("/" + name.rstrip("/")) for file in FILES)


def module_is_there(name: str) -> bool:
    """Whether a module, or something in one, has this name."""
    if (ROOT / name.replace(".", "/")).with_suffix(".py").exists():
        return True
    try:
        resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def missing(text: str, page: Path) -> set[str]:
    """The files and modules that the text names in backticks, and that aren't there."""
    names = SPAN.findall(CODE.sub("", text))
    files = {name for name in names if FILE.fullmatch(name) and not is_there(name, page)}
    return files | {name for name in names if MODULE.fullmatch(name) and not module_is_there(name)}


def test_what_is_too_long_or_not_there_is_found():
    page = ROOT / "docs" / "runs.md"
    assert long_lines(f"{'x' * 121}\n| {'x' * 121} |\n```\n{'x' * 121}\n```\n{'x' * 120}") == ["x" * 121]
    assert missing("`rounds/plan.py`, `service.rounds.plan`, `service.rounds.plan.ROUNDS_AHEAD`, `ops/`", page) == set()
    assert missing("`rounds/plans.py`, `service.rounds.plans`", page) == {"rounds/plans.py", "service.rounds.plans"}
    assert missing("`ops.no_such_name`, `service/study/cells.py`", page) == {
        "ops.no_such_name",
        "service/study/cells.py",
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_lines_of_prose_are_short(page: Path):
    assert long_lines(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_and_modules_that_are_named_exist(page: Path):
    expected = EXPECTED_MISSING.get(page.relative_to(ROOT).as_posix(), set())
    assert missing(page.read_text(encoding="utf-8"), page) == expected
