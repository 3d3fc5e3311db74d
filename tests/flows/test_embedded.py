"""An embedded server: who ends it and who doesn't, what it begins with, and what it is not asked through."""

import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from flows import database
from flows.embedded import IMPORTED_MEANWHILE, EmbeddedServer, settle
from tests.commands import ROOT

PROGRAM = """
import signal, sys
from pathlib import Path
from flows.embedded import EmbeddedServer

signal.signal(signal.SIGINT, lambda *_: print("interrupted", flush=True))
server = EmbeddedServer(Path(sys.argv[1]))
server.begin()
server.wait_until_ready()
print(server.process_id, flush=True)
for _ in sys.stdin:
    server.wait_until_ready()
    print("answers", flush=True)
"""


@pytest.fixture
def parent(tmp_path: Path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT), **settled(tmp_path)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    yield process
    process.kill()
    process.communicate()


def settled(folder: Path) -> dict[str, str]:
    environment: dict[str, str] = {}
    settle(environment, folder)
    return environment


def ends(process_id: int, seconds: float = 120) -> bool:
    deadline = time.monotonic() + seconds
    while Path(f"/proc/{process_id}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not Path(f"/proc/{process_id}").exists()


@pytest.mark.slow
def test_a_signal_to_the_group_leaves_it_alone_and_a_kill_of_its_parent_ends_it(parent: "subprocess.Popen[str]"):
    server = int(parent.stdout.readline())
    os.killpg(parent.pid, signal.SIGINT)
    assert parent.stdout.readline() == "interrupted\n"
    parent.stdin.write("\n")
    parent.stdin.flush()
    assert parent.stdout.readline() == "answers\n"
    parent.kill()
    assert ends(server)


def test_a_server_that_never_begins_touches_nothing_and_ends_when_it_is_told(tmp_path: Path):
    server = EmbeddedServer(tmp_path / "prefect")
    assert not server.has_ended
    server.end()
    assert server.has_ended
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the migrations of the installed Prefect make, written as `make` writes it."""
    path = tmp_path_factory.mktemp("template") / "prefect.sql"
    program = "from flows.database import migrated; print(migrated(), end='')"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    made = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    path.write_text(made.stdout)
    return path


@pytest.mark.slow
def test_a_new_database_stands_at_the_template_s_revision(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(database, "TEMPLATE", template)
    database.begin_database(tmp_path / "prefect.db")
    with closing(sqlite3.connect(tmp_path / "prefect.db")) as connection:
        (found,) = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    assert found == database.revision(template.read_text())
    assert [path.name for path in tmp_path.iterdir()] == ["prefect.db"]


def test_a_database_that_is_there_stays(tmp_path: Path):
    (tmp_path / "prefect.db").write_text("mine")
    database.begin_database(tmp_path / "prefect.db")
    assert (tmp_path / "prefect.db").read_text() == "mine"


@pytest.mark.parametrize("is_there", [True, False])
def test_prefect_makes_its_own_where_the_template_is_a_later_one_s_or_missing(
    template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool
):
    later = tmp_path / "later.sql"
    if is_there:
        later.write_text(template.read_text().replace(database.revision(template.read_text()), "abc123"))
    monkeypatch.setattr(database, "TEMPLATE", later)
    database.begin_database(tmp_path / "prefect.db")
    assert not (tmp_path / "prefect.db").exists()


def test_a_flow_on_a_server_of_our_own_ends_without_waiting_for_heartbeats(tmp_path: Path):
    program = """
import sys
from flows.command import Flows
from service.home import Home

flows = Flows()
with flows.server.running(Home.from_environment(), "flows.train"):
    from prefect.settings import get_current_settings

    assert get_current_settings().flows.heartbeat_frequency is None
    print(*sys.modules)
flows.end()
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "ATELIER_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert set(IMPORTED_MEANWHILE["flows.train"]) <= set(done.stdout.split())
