"""Ctrl-C that can't get lost."""

import os
import signal
import sys
from threading import Timer
from typing import Any

AGAIN_SECONDS = 0.02


def keep_interruptions() -> None:
    """Have an interruption come again that Python would drop, because it came while an object was being deleted.

    An exception in `__del__` or in the callback of a weak reference is printed and forgotten, KeyboardInterrupt too.
    Dask lets go of futures that way all the time.
    """
    sys.unraisablehook = _unraisable


def _unraisable(dropped: Any) -> None:
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)
        return
    again = Timer(AGAIN_SECONDS, os.kill, (os.getpid(), signal.SIGINT))
    again.daemon = True
    again.start()
