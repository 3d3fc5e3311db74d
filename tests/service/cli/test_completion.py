"""Shell completion, as bash itself asks for it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from service.config import TrainConfig
from service.home import Home
from service.runs import RunFolder
from tests.commands import ROOT
from tests.service.models import draft, publish

BASH = """
eval "$(atelier completion bash)"
for line in "$@"; do
    read -ra COMP_WORDS <<< "$line"
    [[ $line == *" " ]] && COMP_WORDS+=("")
    COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
    COMPREPLY=()
    _atelier_completion atelier
    echo "${COMPREPLY[*]}"
done
"""


@pytest.fixture
def command(home: Home, tmp_path: Path) -> Path:
    """A folder with an `atelier` for a shell to find, beside a home with runs and a model."""
    for name in ("a-run", "another", "b"):
        RunFolder.create(home.runs, name, TrainConfig(), None)
    (home.runs / ".deleted-away").mkdir()
    publish(home.models, "flat", draft("mlp"))
    (tmp_path / "bin").mkdir()
    script = tmp_path / "bin" / "atelier"
    script.write_text(f'#!/bin/sh\nexec {sys.executable} -m flows "$@"\n')
    script.chmod(0o755)
    return script.parent


@pytest.mark.skipif(shutil.which("bash") is None, reason="asks bash")
def test_bash_completes_commands_options_runs_and_models(command: Path):
    lines = ["atelier ru", "atelier runs re", "atelier runs show a", "atelier models show ", "atelier runs list --js"]
    path = f"{command}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", BASH, "bash", *lines],
        env={**os.environ, "PATH": path, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=240,
        check=True,
    )
    assert done.stdout.splitlines() == ["runs", "resume", "another a-run", "flat", "--json"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_has_its_script(shell: str, command: Path):
    words = [str(command / "atelier"), "completion", shell]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=240, check=True).stdout
    assert f"_ATELIER_COMPLETE={shell}_complete" in script
