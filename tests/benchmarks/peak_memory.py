"""Runs a command and tells the peak of resident memory (VmHWM) of it and of each process that it started.

python -m tests.benchmarks.peak_memory WORDS…
"""

import subprocess
import sys
import time
from pathlib import Path

EVERY_S = 0.2


def peaks(words: list[str]) -> tuple[int, dict[str, int]]:
    """The command's exit status, and MB by what a process is."""
    found: dict[int, tuple[str, int]] = {}
    with subprocess.Popen(words) as process:
        while process.poll() is None:
            for number in _family(process.pid):
                if (seen := _peak(number)) is not None:
                    found[number] = seen
            time.sleep(EVERY_S)
    return process.returncode, {f"{name} {number}": peak for number, (name, peak) in found.items()}


def _family(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
    family = {root}
    while more := {number for number, parent in parents.items() if parent in family} - family:
        family |= more
    return family


def _peak(number: int) -> tuple[str, int] | None:
    try:
        status = Path(f"/proc/{number}/status").read_text()
        words = Path(f"/proc/{number}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
    except OSError:
        return None
    lines = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return (words.strip()[-60:], int(lines[0].split()[1]) // 1000) if lines else None


if __name__ == "__main__":
    status, measured = peaks(sys.argv[1:])
    for name, megabytes in measured.items():
        print(f"{megabytes:6} MB  {name}", file=sys.stderr)
    sys.exit(status)
