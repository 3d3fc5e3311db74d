"""Somebody to compare with, in a process of its own, so that nothing of it is in ours."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from service.errors import AtelierError


@contextmanager
def peer(program: str, *words: str) -> Iterator[Callable[[str], str]]:
    """Start a module of ours as a program; the function sends it a line and gives its answer.

    Raises AtelierError, with the program's last words, where it doesn't answer: its library may be missing.
    """
    process = subprocess.Popen(  # noqa: S603  # our own module
        [sys.executable, "-m", program, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )

    def ask(line: str) -> str:
        if process.stdin is None or process.stdout is None:
            raise AssertionError("the peer was started with pipes")
        answer = ""
        try:
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        except BrokenPipeError:
            pass
        if not answer:
            _, said = process.communicate()
            last = (said.strip().splitlines() or ["it said nothing"])[-1]
            library = "jax" if program.endswith("jax") else "torch"
            raise AtelierError(f"{program}, the peer to compare with, did not run (pip install {library}): {last}")
        return answer

    try:
        yield ask
    finally:
        process.kill()
        process.communicate()
