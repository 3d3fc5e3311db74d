"""How many processors there are for us."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from service.environment import processors
from service.environment.processors import usable_processors


@pytest.fixture
def groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of 64 processors whose control groups are in a folder of the test's own."""
    monkeypatch.setattr(processors, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(processors, "OWN_GROUP", tmp_path / "own")
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    return tmp_path


def group(folder: Path, **files: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name.replace("_", ".", 1)).write_text(f"{content}\n")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system has no affinity")
def test_a_process_that_is_bound_to_one_processor_has_one():
    program = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
        "from service.environment.processors import usable_processors; print(usable_processors())"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "1\n"


def test_without_a_quota_all_count(groups: Path):
    (groups / "own").write_text("0::/\n")
    group(groups / "groups", cpu_max="max 100000")
    assert usable_processors() == 64


@pytest.mark.parametrize(("quota", "expected"), [("200000 100000", 2), ("150000 100000", 2), ("10000 100000", 1)])
def test_a_quota_is_rounded_up(groups: Path, quota: str, expected: int):
    (groups / "own").write_text("0::/\n")
    group(groups / "groups", cpu_max=quota)
    assert usable_processors() == expected


def test_the_tightest_of_the_groups_above_holds(groups: Path):
    (groups / "own").write_text("0::/system/atelier\n")
    group(groups / "groups" / "system" / "atelier", cpu_max="800000 100000")
    group(groups / "groups" / "system", cpu_max="300000 100000")
    group(groups, cpu_max="100000 100000")  # above the groups: none of ours
    assert usable_processors() == 3


def test_version_1_counts_too(groups: Path):
    (groups / "own").write_text("4:memory:/docker/x\n3:cpu,cpuacct:/docker/x\n")
    group(groups / "groups" / "cpu" / "docker" / "x", cpu_cfs_quota_us="500000", cpu_cfs_period_us="100000")
    group(groups / "groups" / "cpu", cpu_cfs_quota_us="-1", cpu_cfs_period_us="100000")
    assert usable_processors() == 5


def test_a_system_without_control_groups_goes_by_affinity(groups: Path):
    assert usable_processors() == 64
