"""The operators' tests take their array module from the fixture `xp`, so that tests/gpu can run them on CuPy."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest

REPORT = pytest.StashKey[list[str]]()


@pytest.fixture(scope="session")
def xp() -> ModuleType:
    return np


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Says something at the end of the test run, passed or not."""
    return request.config.stash.setdefault(REPORT, []).append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    for line in config.stash.get(REPORT, []):
        terminalreporter.write_line(line)
