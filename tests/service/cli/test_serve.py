"""`atelier serve`: what it says before it listens, where it can't, and what it serves."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from service.cli import command
from service.cli.serve import _listening_socket
from service.config import TrainConfig
from service.errors import AtelierError
from service.home import Home
from service.runs import RunFolder
from tests.commands import ROOT, atelier
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.models import draft, publish


@contextmanager
def serve(home: Path, *words: str, before: Sequence[str] = ()) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The line in which a server says that it listens, and the server. before: what its command begins with."""
    environment = {
        **os.environ,
        "ATELIER_HOME": str(home),
        "ATELIER_MODELS": "",
        "ATELIER_DATA": "",
        "ATELIER_RUNS": "",
        "PYTHONPATH": str(ROOT),
    }
    process = subprocess.Popen(
        [*before, sys.executable, "-m", "flows", "serve", "--port", "0", *words],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        yield process.stdout.readline(), process
    finally:
        process.kill()
        process.communicate()


def address(line: str) -> str:
    return next(word for word in line.split() if word.startswith("http"))


def test_where_it_listens_is_said_when_it_does(home: Home) -> None:
    with serve(home.root, "--root-path", "/team/atelier/") as (line, process):
        assert address(line).endswith("/team/atelier/")
        health = httpx.get(address(line) + "health")
        assert health.status_code == 200
        assert "server" not in health.headers  # nobody needs to know what it is made of
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0


def test_a_port_that_is_taken_is_told_and_nothing_else_is_said(home: Home) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = atelier("serve", "--port", port, home=home.root)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"atelier: can't listen on 127.0.0.1, port {port}: address already in use\n"


@pytest.mark.parametrize("host", ["192.0.2.1", "no.such.host.invalid"])
def test_an_address_that_is_not_ours_is_told(host: str) -> None:
    with pytest.raises(AtelierError, match=f"^can't listen on {host}, port 0: .+"):
        _listening_socket(host, 0)


@pytest.mark.parametrize("path", ["atelier", "//host", "/a b", "/a?b"])
def test_what_is_no_sub_path_is_wrong_use(home: Home, capsys: pytest.CaptureFixture[str], path: str) -> None:
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, ["serve", "--root-path", path])
    told = capsys.readouterr()
    assert (left.value.code, told.out, told.err.count("\n")) == (2, "", 1)


def read_only(home: Path) -> list[str]:
    """What a command begins with that sees a home read-only: root writes whatever permissions say, so it is a mount."""
    if os.geteuid() != 0:
        for folder, _, _ in os.walk(home):
            Path(folder).chmod(0o555)
        return []
    mounts = f"mount --bind '{home}' '{home}' && mount -o remount,ro,bind '{home}'"
    if subprocess.run(["unshare", "-m", "sh", "-c", mounts], capture_output=True, check=False).returncode:
        pytest.skip("root may not mount here, and writes whatever permissions say")
    return ["unshare", "-m", "sh", "-c", f'{mounts} && exec "$@"', "sh"]


def test_a_home_that_can_only_be_read_is_served(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    publish(home.models, "flat", draft("mlp"))
    RunFolder.create(home.runs, "begun", TrainConfig(), None)
    before = read_only(home.root)
    try:
        with serve(home.root, before=before) as (line, process):
            url = address(line)
            assert httpx.get(f"{url}health").status_code == 200
            assert httpx.get(f"{url}api/runs").json()["items"][0]["run"] == "begun"
            assert httpx.get(f"{url}runs/begun").status_code == 200
            body = {"pixels": [[9] * 28] * 28}
            assert httpx.post(f"{url}api/models/flat/predict", json=body, timeout=240).status_code == 200
            assert process.poll() is None
    finally:
        for folder, _, _ in os.walk(home.root):
            Path(folder).chmod(0o755)
