"""Steps that are recorded: run once, captured once, launched from then on; what can't be captured runs all the same."""

from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from ops.backends.cuda.recording import Recording


class Stream:
    """Stands for a stream: says what was asked of it."""

    def __init__(self, refuses=False):
        self.asked = []
        self.capturing = False
        self._refuses = refuses

    def begin_capture(self):
        self.asked.append("begin")
        self.capturing = True

    def end_capture(self):
        self.asked.append("end")
        self.capturing = False
        if self._refuses:
            raise RuntimeError("the capture was broken")
        return SimpleNamespace(launch=lambda stream: stream.asked.append("launch"))


@pytest.fixture
def pools():
    return []


@pytest.fixture
def cupy(pools):
    @contextmanager
    def using_allocator(malloc):
        pools.append(malloc)
        yield

    return SimpleNamespace(cuda=SimpleNamespace(using_allocator=using_allocator))


def test_an_action_runs_once_is_captured_once_and_launched_from_then_on(cupy, pools):
    stream, ran = Stream(), []
    recording = Recording(cupy, stream, SimpleNamespace(malloc="pool"), lambda: ran.append(stream.capturing))
    for _ in range(4):
        recording()
    assert ran == [False, True]
    assert stream.asked == ["begin", "end", "launch", "launch", "launch"]
    assert pools == ["pool", "pool"]


def test_what_cannot_be_captured_runs_as_it_is_every_time(cupy):
    stream, ran = Stream(refuses=True), []

    def action():
        if stream.capturing:
            raise NotImplementedError("not while a graph is captured")
        ran.append(True)

    recording = Recording(cupy, stream, SimpleNamespace(malloc=None), action)
    for _ in range(4):
        recording()
    assert len(ran) == 4
    assert stream.asked == ["begin", "end"]
