"""Ctrl-C at an awkward moment."""

import subprocess
import sys

PROGRAM = """
import signal, time
{install}

class Late:
    def __del__(self):
        signal.raise_signal(signal.SIGINT)
        time.sleep(0)

try:
    late = Late()
    del late
    time.sleep({seconds})
    print("went on")
except KeyboardInterrupt:
    print("stopped")
"""

INSTALL = "from service.cli.interruption import keep_interruptions; keep_interruptions()"


def run(program: str) -> tuple[str, str]:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip(), done.stderr


def test_an_interruption_while_an_object_is_deleted_still_stops_the_program():
    assert run(PROGRAM.format(install=INSTALL, seconds=30)) == ("stopped", "")


def test_python_by_itself_would_drop_it():
    said, complaint = run(PROGRAM.format(install="", seconds=0.1))
    assert said == "went on"
    assert "KeyboardInterrupt" in complaint


def test_other_exceptions_there_are_told_as_ever():
    _, complaint = run(f"{INSTALL}\nclass Bad:\n    def __del__(self):\n        raise ValueError('told')\nBad()")
    assert "ValueError: told" in complaint
