"""How many processors this process may use, which may be fewer than the machine has."""

import os
from math import ceil
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")
"""Where Linux shows its control groups: version 2, or `cpu` of version 1."""

OWN_GROUP = Path("/proc/self/cgroup")
"""Names the groups that this process is in."""


def usable_processors() -> int:
    """The processors that the process may run on, or those that its quota of time amounts to, rounded up: the fewer.

    `taskset` and `docker run --cpuset-cpus` set the one, `docker run --cpus` and Kubernetes' limits the other.
    """
    affinity = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min([affinity, *map(ceil, _quotas())]))


def _quotas() -> list[float]:
    """The quotas of the group that the process is in and of those above it, in processors."""
    try:
        lines = OWN_GROUP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
    found = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers and "cpu" not in controllers.split(","):
            continue
        top = CGROUPS / "cpu" if controllers else CGROUPS
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder == top.parent:
                break
            found += _quota_of(folder)
    return found


def _quota_of(group: Path) -> list[float]:
    try:
        if (group / "cpu.max").is_file():
            quota, period = (group / "cpu.max").read_text(encoding="utf-8").split()
        else:
            quota = (group / "cpu.cfs_quota_us").read_text(encoding="utf-8")
            period = (group / "cpu.cfs_period_us").read_text(encoding="utf-8")
        return [int(quota) / int(period)] if int(quota) > 0 else []
    except (OSError, ValueError):  # no such file in this group, or "max"
        return []
