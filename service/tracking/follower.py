"""The process that follows a run: it reads the run's log and hands what is new to the trackers.

It needs nothing of the process that trains but to know when it is over, and slows none of its rounds. That process
tells through a pipe which model the run ended in; where the pipe closes, nothing more will come. A process that is
killed closes its pipes, too.
"""

import os
import sys
from pathlib import Path
from select import select
from time import sleep

from service.home import Home
from service.model_ref import ModelRef
from service.registry import ModelVersion, Registry
from service.runs import Run, run_at
from service.tracking.base import TrackedRun
from service.tracking.feed import Feed
from service.tracking.registry import find

POLL_SECONDS = 1.0
LAST_TRIES = 4
"""How often a tracker that fails is tried once the run is over."""


def follow(home: Home, run: str, trackers: list[str], pipe: int) -> None:
    """Hand a run to trackers until the pipe is closed, and the rest then.

    Args:
        home: where runs and models are.
        run: the run's name; it may not have begun yet.
        trackers: their names.
        pipe: a file descriptor that gives the name of the model, `name:version`, once there is one.
    """
    folder, feeds, said = run_at(home.runs, run), list[Feed](), b""
    is_over = False
    while not is_over:
        ready, _, _ = select([pipe], [], [], POLL_SECONDS)
        if ready:
            received = os.read(pipe, 4096)
            said, is_over = said + received, not received
        if not feeds and folder.exists():
            feeds = [Feed(name, find(name), TrackedRun(folder, home.root)) for name in trackers]
        for feed in feeds if not is_over else ():  # the last lines are sent below, with the model
            before = feed.problem
            feed.step(None, None)
            if feed.problem and not before:
                _say(f"{feed.name}: {feed.problem}; the training goes on, what is missing is sent later")
    if feeds:
        _finish(feeds, folder, _model(home, said.decode().strip()))


def _finish(feeds: list[Feed], run: Run, model: ModelVersion | None) -> None:
    outcome = run.status()
    for number in range(LAST_TRIES):
        if number:
            sleep(0.25 * 2**number)
        complete = [feed.step(model, outcome, patient=False) for feed in feeds]
        if all(complete):
            return
    for feed in feeds:
        if feed.problem:
            _say(f"{feed.name}: {feed.problem}; `atelier runs resume {run.name}` sends what is missing")


def _model(home: Home, label: str) -> ModelVersion | None:
    return Registry(home.models).find(ModelRef.parse(label)) if label else None


def _say(line: str) -> None:
    """One line on standard error, over what a progress bar may have drawn there."""
    clear = "\r\x1b[K" if sys.stderr.isatty() else ""
    print(f"{clear}tracking with {line}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> None:
    """Follow a run. arguments: the home, where its models and runs are if elsewhere, the run, and trackers."""
    root, elsewhere, runs_elsewhere, run, *trackers = arguments
    os.nice(10)
    follow(Home(Path(root), elsewhere, runs_elsewhere=runs_elsewhere), run, trackers, sys.stdin.fileno())
