"""Threads that share the work of kernels, where processors would have nothing else to do.

Each thread computes numbers of its own, in the order in which one thread would: how many there are changes no bit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from itertools import pairwise
from typing import TypeVar

from ops.backends.cpu.memory import Memory, reused

Result = TypeVar("Result")

_HELPERS: ContextVar[Helpers | None] = ContextVar("helpers", default=None)
"""Who helps this thread; nobody helps a helper."""


class Helpers:
    """Threads that take parts of a caller's work.

    Args:
        count: How many there are, at least one.
    """

    def __init__(self, count: int) -> None:
        self.count = count
        self.pool = ThreadPoolExecutor(count, "kernels")
        self.memory = Memory()

    def run(self, task: Callable[[], Result]) -> Result:
        """Run a task as one of the threads does."""
        with reused(self.memory):
            return task()


@contextmanager
def shared(count: int) -> Iterator[None]:
    """Within the block, the kernels that this thread calls are shared by so many threads, itself included."""
    if count < 2:
        yield
        return
    helpers = Helpers(count - 1)
    token = _HELPERS.set(helpers)
    try:
        with helpers.pool:
            yield
    finally:
        _HELPERS.reset(token)


def sharing() -> int:
    """How many threads share the work of the kernels that this thread calls."""
    helpers = _HELPERS.get()
    return 1 if helpers is None else 1 + helpers.count


def together(*tasks: Callable[[], Result]) -> list[Result]:
    """The results of tasks that don't depend on one another: run side by side with helpers, else in their order."""
    helpers = _HELPERS.get()
    if helpers is None:
        return [task() for task in tasks]
    waiting = [helpers.pool.submit(helpers.run, task) for task in tasks[1:]]
    try:
        first = tasks[0]()
    finally:
        others = [future.result() for future in waiting]
    return [first, *others]


def in_parts(count: int, work: Callable[[slice], None]) -> None:
    """Do the work for `count` things that don't depend on one another, in as many parts as there are threads."""
    parts = min(sharing(), count)
    edges = [count * part // max(parts, 1) for part in range(parts + 1)]
    pieces = [slice(first, stop) for first, stop in pairwise(edges)]
    if pieces:
        together(*(partial(work, piece) for piece in pieces))
