"""No call that leaves the process waits for ever."""

import ast
import os
import signal
from pathlib import Path

import pytest

import service.cluster
from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import connected, open_cluster
from service.config import ClusterConfig, from_preset
from service.errors import ClusterError
from service.home import Home
from service.training.loop import advance
from service.training.start import create_run
from tests.clusters import free_port, process_of, scheduler_and_worker
from tests.jobs import small, small_job

NOT_WAITING = {"map", "submit", "subscribe_topic", "unsubscribe_topic"}
"""What Dask's client only sends, or puts down."""


def test_every_question_to_a_scheduler_has_a_time_limit():
    """Questions go through `Cluster.ask`, which has one; the few others name theirs."""
    for path in Path(service.cluster.__file__).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert _is_limited(node), f"{path.name}:{node.lineno}: {ast.unparse(node)} has no time limit"


def _is_limited(call: ast.Call) -> bool:
    keywords = {keyword.arg for keyword in call.keywords}
    if isinstance(call.func, ast.Name):
        return call.func.id != "Client" or "timeout" in keywords
    if not isinstance(call.func, ast.Attribute):
        return True
    method, owner = call.func.attr, ast.unparse(call.func.value)
    if method == "sync":
        return "callback_timeout" in keywords
    if owner.endswith(".client"):  # the client itself, outside of its event loop
        return method in NOT_WAITING or "timeout" in keywords
    return True


def test_a_rule_that_cannot_fail_is_none():
    for code in ("self.client.scheduler_info()", "client.sync(f)", "Client(address)", "self._cluster.client.run(f)"):
        (statement,) = ast.parse(code).body
        assert isinstance(statement, ast.Expr)
        assert isinstance(statement.value, ast.Call)
        assert not _is_limited(statement.value)


@pytest.mark.slow
def test_a_scheduler_that_is_frozen_for_good_ends_in_one_line(monkeypatch: pytest.MonkeyPatch):
    port = free_port()
    monkeypatch.setattr("service.cluster.connection.CONNECT_SECONDS", 60)
    monkeypatch.setattr("service.cluster.local_cluster.CONNECT_SECONDS", 60)
    with scheduler_and_worker(port) as (scheduler, _), connected(f"tcp://127.0.0.1:{port}") as cluster:
        executor = DaskExecutor(cluster)
        assert executor.map(abs, [(-1,)]) == [1]
        monkeypatch.setattr("service.cluster.connection.CONNECT_SECONDS", 1)
        monkeypatch.setattr("service.cluster.connection.ANSWER_SECONDS", 1)
        monkeypatch.setattr("service.cluster.connection.RETURN_SECONDS", 2)
        scheduler.send_signal(signal.SIGSTOP)
        with pytest.raises(ClusterError, match=r"went away and did not come back within 2 s; `atelier runs resume`"):
            executor.map(abs, [(-1,)])


def test_a_worker_that_is_frozen_when_a_run_begins_is_left_out_and_named(home: Home, tmp_path: Path):
    small_job(home, tmp_path / "idx")
    with open_cluster(ClusterConfig(workers=2, worker_type="processes")) as cluster:
        frozen, _ = cluster.workers
        process = process_of(cluster, frozen)
        os.kill(process, signal.SIGSTOP)
        try:
            executor = DaskExecutor(cluster)
            folder, job = create_run(home, executor, from_preset(small()), "run")
            entries = list(advance(executor, folder, job))
        finally:
            os.kill(process, signal.SIGCONT)
    assert f"worker {frozen} gets no tasks for now: it does not answer" in [entry.get("why") for entry in entries]
    assert entries[-1]["outcome"] == "finished"
