"""A step that is taken many times, recorded as a CUDA graph the second time: the host then has one thing to launch."""

from collections.abc import Callable
from contextlib import suppress
from typing import Any


class Recording:
    """Repeats an action that reads and writes the same memory every time.

    The first time it runs as it is, which compiles, chooses engines and makes memory ready; the second time it is
    captured. What can't be captured runs as it is every time.

    Args:
        cupy: the module.
        stream: where the action puts its work, and the graph.
        pool: memory for what the action makes on its way and lets go of again. Whatever is recorded in one pool shares
            that memory, so nothing that has to last may lie there.
        action: what is repeated.
    """

    def __init__(self, cupy: Any, stream: Any, pool: Any, action: Callable[[], None]) -> None:
        self._cupy, self._stream, self._pool = cupy, stream, pool
        self._action = action
        self._times = 0
        self._graph: Any = None
        self._refused = False

    def __call__(self) -> None:
        self._times += 1
        if self._graph is None and self._times == 2 and not self._refused:
            self._graph = self._captured()
        if self._graph is not None:
            self._graph.launch(self._stream)
        else:
            with self._cupy.cuda.using_allocator(self._pool.malloc):
                self._action()

    def _captured(self) -> Any:
        self._stream.begin_capture()
        try:
            with self._cupy.cuda.using_allocator(self._pool.malloc):
                self._action()
        except Exception:  # whatever it is that can't be captured can still be done
            self._refused = True
            with suppress(Exception):
                self._stream.end_capture()  # else every later call on the stream would fail
            return None
        return self._stream.end_capture()
