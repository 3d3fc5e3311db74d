"""Ctrl-C at an awkward moment: the command ends, with one line and the exit status that shells expect."""

import signal
import subprocess
import sys
import time

import pytest

LIMIT_SECONDS = 240
"""How long a program may take that would sleep for an hour if it weren't interrupted."""

PROGRAM = """
import ctypes, os, signal, sys, time
from threading import Timer
from service.cli.interruption import Interruption

interruption = Interruption()
interruption.resume = lambda: "atelier runs resume x"
{before}
with interruption.watched():
    try:
        print("ready", flush=True)
        {work}
    except KeyboardInterrupt:
        interruption.say()
        {unwinding}
        sys.exit(interruption.exit_status)
print("went on")
"""

WORK = {
    "waiting": "time.sleep(3600)",
    "inside a library that holds the interpreter for a while": "ctypes.CDLL(None).sleep(3600)",
    "while an object is deleted": "late = Late(); del late; time.sleep(3600)",
    "with a handler that somebody put in the place of ours": "signal.signal(signal.SIGTERM, lambda *_: None); "
    "signal.signal(signal.SIGINT, lambda *_: None); "
    "signal.signal(signal.SIGHUP, lambda *_: None); [time.sleep(0.1) for _ in range(36_000)]",
}

LATE = """
class Late:
    def __del__(self):
        time.sleep(3600)
"""


def started(work: str, before: str = "", unwinding: str = "pass") -> "subprocess.Popen[str]":
    program = PROGRAM.format(work=work, before=before, unwinding=unwinding)
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("doing", WORK)
def test_whatever_is_under_way_ends_with_one_line(doing: str, number: signal.Signals):
    process = started(WORK[doing], before=LATE)
    process.send_signal(number)
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out) == (128 + number, "")
    assert err == "atelier: interrupted; `atelier runs resume x` continues it\n"


def test_what_is_told_is_not_waited_for_for_long():
    before = "from service.cli.interruption import soon; interruption.resume = lambda: soon({}, otherwise='it')"
    for answer, told in (("lambda: time.sleep(3600)", "`it`"), ("lambda: 1 / 0", "`it`"), ("lambda: 'that'", "`that`")):
        process = started("time.sleep(3600)", before.format(answer))
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=LIMIT_SECONDS)
        assert (process.returncode, err) == (130, f"atelier: interrupted; {told} continues it\n")


def test_an_end_in_order_that_takes_too_long_is_cut_short():
    process = started("time.sleep(3600)", unwinding="time.sleep(3600)")
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, err.count("\n")) == (130, 1)


def test_the_same_signal_twice_at_once_lets_the_end_in_order_be():
    before = "import service.cli.interruption as module; module.SAME_SECONDS = 3600"
    process = started("time.sleep(3600)", before, unwinding='time.sleep(0.1); print("in order", flush=True)')
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out) == (130, "in order\n")


def test_a_second_signal_ends_it_at_once():
    before = "import service.cli.interruption as module; module.GRACE_SECONDS = 3600"
    process = started("time.sleep(3600)", before, unwinding='print("unwinding", flush=True); time.sleep(3600)')
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    assert process.stdout.readline() == "unwinding\n"
    time.sleep(1)  # longer than SAME_SECONDS: a slow machine makes it longer still
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, err.count("\n")) == (130, 1)


def test_a_terminal_that_goes_does_not_end_what_nohup_started():
    before = "signal.signal(signal.SIGHUP, signal.SIG_IGN)"
    process = started("time.sleep(1)", before)
    process.send_signal(signal.SIGHUP)
    out, err = process.communicate(timeout=LIMIT_SECONDS)
    assert (process.returncode, out, err) == (0, "went on\n", "")


@pytest.mark.parametrize("is_ignored", [False, True])
def test_a_server_gets_the_signals_as_they_were(is_ignored: bool):
    program = f"""
import signal
from service.cli.interruption import SIGNALS, Interruption
if {is_ignored}:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
handlers = [signal.getsignal(number) for number in SIGNALS]
interruption = Interruption()
with interruption.watched():
    interruption.leave()
    assert [signal.getsignal(number) for number in SIGNALS] == handlers
"""
    subprocess.run([sys.executable, "-c", program], timeout=LIMIT_SECONDS, check=True)


def test_afterwards_signals_are_as_before():
    program = """
import signal
from service.cli.interruption import SIGNALS, Interruption
handlers = [signal.getsignal(number) for number in SIGNALS]
with Interruption().watched():
    assert [signal.getsignal(number) for number in SIGNALS] != handlers
assert [signal.getsignal(number) for number in SIGNALS] == handlers
assert signal.set_wakeup_fd(-1) == -1
"""
    subprocess.run([sys.executable, "-c", program], timeout=LIMIT_SECONDS, check=True)
