"""What the tool says of a module whose tests are known: what they notice, and what they don't."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("mutmut", reason="the extra `mutation` isn't installed")

ROOT = Path(__file__).parent.parent.parent

MODULE = """
from functools import cache


class Box:
    def __init__(self, side):
        self.side = side

    @property
    def area(self):
        return self.side * self.side


@cache
def larger(number, by=1):
    assert number < 100, "our own mistake"
    return number + by


def unknown(number):
    return number < 3
"""

TESTS = """
from thing import Box, larger


def test_area():
    assert Box(3).area == 9


def test_larger():
    assert larger(2) > 2
"""


def test_mutants_that_no_test_notices_are_listed(tmp_path: Path) -> None:
    (tmp_path / "thing.py").write_text(MODULE)
    (tmp_path / "test_thing.py").write_text(TESTS)
    report = tmp_path / "report.json"
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "tests.mutation.plugin"]
    done = subprocess.run(
        [*command, "--mutate=thing.py", f"--mutation-report={report}", "test_thing.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(tmp_path), os.environ.get("PYTHONPATH", "")))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert report.exists(), done.stdout + done.stderr
    found = json.loads(report.read_text())
    survivors = {(each["function"], each["change"]) for each in found["survivors"]}
    # `area` and `__init__` are noticed wherever they change; of `larger` only by how much is not.
    assert survivors == {
        ("larger", "- def larger(number, by=1):\n+ def larger(number, by=2):"),
        ("unknown", "- return number < 3\n+ return number <= 3"),
        ("unknown", "- return number < 3\n+ return number < 4"),
    }
    assert found["tried"] == found["mutants"] > len(survivors)
