"""Ctrl-C, and other signals that end a process: a command that works ends within seconds, with one line."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from select import select
from threading import Lock, Thread, current_thread, main_thread
from time import monotonic
from types import FrameType
from typing import Any, TypeVar

Answer = TypeVar("Answer")

GRACE_SECONDS = 1.5
"""How long what is under way may take to end in order. Whatever is killed can be resumed, so nothing is lost then."""

SAME_SECONDS = 0.3
"""A signal that comes again so soon is the same one: `timeout` sends it to the process and then to its group."""

ANSWER_SECONDS = 1.0
"""How long a process that ends waits for what it would tell."""

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""Ctrl-C, the signal that ends a process, and what a terminal sends that is closed."""

NO_LEAKS = "ignore:resource_tracker:UserWarning"
"""What Python's resource tracker, a process, would say after ours has ended at once; the system frees those itself."""


class Interruption:
    """What becomes of SIGINT, SIGTERM and SIGHUP while a command works. One that is ignored (`nohup`) stays so.

    The first one raises KeyboardInterrupt in the main thread. Where that doesn't lead to the end in time, or at a
    second one, the process ends at once: a kernel that computes, a cluster that closes, or an exception that Python
    drops in `__del__` can't hold it up.

    Attributes:
        resume: Gives the command that goes on with what is interrupted, or an empty text where there is none.
    """

    def __init__(self) -> None:
        self.resume: Callable[[], str] = str
        self._received = 0
        self._raised = False
        self._reader = self._writer = -1
        self._handlers: dict[signal.Signals, Any] = {}
        self._saying = Lock()
        self._said = False

    @property
    def exit_status(self) -> int:
        """What shells expect of a command that a signal ended: 130, 143 or 129."""
        return 128 + (self._received or signal.SIGINT)

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Take care of the signals while the block lasts and, once there was one, until the process has ended."""
        if current_thread() is not main_thread():  # Python hands signals to that one alone
            yield
            return
        os.environ.setdefault("PYTHONWARNINGS", NO_LEAKS)
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        # Python writes each signal's number there, whoever puts a handler of his own in the place of ours.
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        ignored = {signal.SIGHUP} if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else set()
        self._handlers = {number: signal.signal(number, self._handle) for number in SIGNALS if number not in ignored}
        sys.unraisablehook = _unraisable
        watcher = Thread(target=self._watch, daemon=True)
        watcher.start()
        try:
            yield
        finally:
            if not self._received:
                self.leave()
                watcher.join()
                os.close(self._reader)
                sys.unraisablehook = sys.__unraisablehook__
                for number, handler in self._handlers.items():
                    signal.signal(number, handler)

    def leave(self) -> None:
        """Take no more care of signals: for a server, which has handlers of its own."""
        if self._writer >= 0:
            signal.set_wakeup_fd(-1)
            os.close(self._writer)
            self._writer = -1
            for number in self._handlers:
                is_ctrl_c = number == signal.SIGINT
                signal.signal(number, signal.default_int_handler if is_ctrl_c else signal.SIG_DFL)

    def say(self) -> None:
        """Print one line for the user, once."""
        with self._saying, suppress(Exception):
            if self._said:
                return
            self._said = True
            command = self.resume()
            line = f"interrupted; `{command}` continues it" if command else "interrupted"
            shown = "\r\x1b[K\x1b[?25h" if sys.stderr.isatty() else ""  # a progress bar may be there, the cursor hidden
            print(f"{shown}atelier: {line}", file=sys.stderr, flush=True)

    def _handle(self, number: int, frame: FrameType | None) -> None:
        self._received = self._received or number  # unless the watcher was faster
        if not self._raised:
            self._raised = True
            raise KeyboardInterrupt

    def _watch(self) -> None:
        began: float | None = None
        while True:
            left = None if began is None else max(0.0, began + GRACE_SECONDS - monotonic())
            if not select([self._reader], [], [], left)[0]:
                self._end()
            received = os.read(self._reader, 64)
            if not received:
                return
            numbers = [number for number in received if number in SIGNALS]
            if numbers and began is None:
                began, self._received = monotonic(), self._received or numbers[0]
            elif numbers and began is not None and monotonic() - began > SAME_SECONDS:
                self._end()

    def _end(self) -> None:
        self.say()
        os._exit(self.exit_status)


def soon(call: Callable[[], Answer], *, otherwise: Answer) -> Answer:
    """The result of a call; something else where it isn't there within `ANSWER_SECONDS`, or the call fails."""
    found = [otherwise]

    def look() -> None:
        with suppress(Exception):
            found[0] = call()

    looking = Thread(target=look, daemon=True)
    looking.start()
    looking.join(ANSWER_SECONDS)
    return found[0]


def _unraisable(dropped: Any) -> None:
    """Say nothing of an interruption that Python drops, in `__del__` or the callback of a weak reference."""
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
