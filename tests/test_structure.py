"""What the shape of the code promises: small modules, short functions, few modules outside of a room."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
MODULES = [path for top in ("ops", "service", "flows") for path in (ROOT / top).rglob("*.py")]

MAX_MODULE_LINES = 300
MAX_FUNCTION_LINES = 60

LONG_FUNCTIONS = {
    "service/registry/card.py:model_card": "one template, most of it text",
}
"""Functions that may be longer, by `path:name`, with the reason."""


def functions(path: Path) -> Iterator[tuple[str, int]]:
    """The name and the number of lines of every function in a module."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            yield node.name, node.end_lineno - node.lineno + 1


def test_no_module_is_longer_than_one_can_read_at_once():
    assert len(MODULES) > 200
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert {path: length for path, length in lengths.items() if length > MAX_MODULE_LINES} == {}


def test_no_function_is_longer_than_a_screen_without_a_reason():
    long = {
        f"{path.relative_to(ROOT)}:{name}"
        for path in MODULES
        for name, length in functions(path)
        if length > MAX_FUNCTION_LINES
    }
    assert long == set(LONG_FUNCTIONS)


def test_the_service_has_few_modules_outside_of_its_rooms():
    modules = [path for path in (ROOT / "service").glob("*.py") if path.stem != "__init__"]
    assert len(modules) <= 8
