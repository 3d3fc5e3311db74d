"""The `atelier` command as a program of its own."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def start(*words: str, home: Path, **more: str) -> "subprocess.Popen[str]":
    """Start the command with pipes for its output, as the leader of a process group like a shell's."""
    own = {
        "ATELIER_HOME": str(home),
        "ATELIER_MODELS": "",
        "ATELIER_DATA": "",
        "ATELIER_RUNS": "",
        "PYTHONPATH": str(ROOT),
        "NO_COLOR": "1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "flows", *words],
        env={**os.environ, **own, **more},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def atelier(*words: str, home: Path, timeout: float = 240, **more: str) -> "subprocess.CompletedProcess[str]":
    """Run the command to its end."""
    process = start(*words, home=home, **more)
    try:
        out, err = process.communicate(timeout=timeout)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return subprocess.CompletedProcess(words, process.returncode, out, err)
