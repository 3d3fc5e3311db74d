"""Which workers take tasks, on a scripted cluster."""

from types import SimpleNamespace
from typing import Any, cast

from service.cluster.code_version import code_version
from service.cluster.connection import Cluster
from service.cluster.quarantine import Quarantine
from service.cluster.worker_pool import WorkerPool
from service.rounds.job import Job


class Warming:
    """A task that warms a worker up: done when the test says so."""

    def __init__(self) -> None:
        self.status = "pending"
        self.code = ""
        self._calls: list[Any] = []

    def add_done_callback(self, call: Any) -> None:
        self._calls.append(call)

    def result(self, **_: Any) -> str:
        return self.code

    def finish(self, code: str) -> None:
        self.status = "finished"
        self.code = code
        for call in self._calls:
            call(self)


class ScriptedCluster:
    """A cluster whose workers come and go as the test says.

    Attributes:
        workers: their addresses.
        warming: the warm-up tasks of each, in order.
    """

    def __init__(self, *workers: str) -> None:
        self.workers = list(workers)
        self.warming: dict[str, list[Warming]] = {}
        self.client = SimpleNamespace(submit=self._submit)

    def _submit(self, *_: Any, workers: list[str], **__: Any) -> Warming:
        self.warming.setdefault(workers[0], []).append(Warming())
        return self.warming[workers[0]][-1]

    def finish(self, worker: str, code: str | None = None) -> None:
        self.warming[worker][-1].finish(code or code_version())


def pool_of(cluster: ScriptedCluster, quarantine: Quarantine | None = None) -> WorkerPool:
    job = cast(Job, object())  # nobody is really warmed up
    return WorkerPool(cast(Cluster, cluster), "run", quarantine or Quarantine(), job=job)


def eligible(pool: WorkerPool, tasks: int = 4) -> list[list[str]]:
    keys = [f"task-{index}" for index in range(tasks)]
    return [pool.placement(keys)["workers"](key) for key in keys]


def test_initial_workers_take_tasks_at_once_and_newcomers_when_they_are_warm():
    cluster = ScriptedCluster("a", "b")
    pool = pool_of(cluster)
    assert not pool.refresh()  # nothing was placed before
    assert eligible(pool) == [["a"], ["b"], ["a"], ["b"]]
    cluster.finish("a")
    cluster.workers.append("c")
    assert not pool.refresh()
    assert eligible(pool) == [["a"], ["b"], ["a"], ["b"]]
    cluster.finish("c")
    assert pool.refresh()
    assert eligible(pool) == [["a"], ["b"], ["c"], ["a"]]


def test_a_newcomer_that_runs_other_code_is_named_once():
    quarantine, cluster = Quarantine(), ScriptedCluster("a")
    pool = pool_of(cluster, quarantine)
    pool.refresh()
    cluster.finish("a")
    assert quarantine.take_notices() == []
    cluster.workers.append("b")
    pool.refresh()
    cluster.finish("b", "0.0.9, code 123456789abc")
    (notice,) = quarantine.take_notices()
    assert notice.startswith("worker b runs another version of Atelier (0.0.9, code 123456789abc; this process has ")
    cluster.finish("b", "0.0.9, code 123456789abc")
    assert quarantine.take_notices() == []


def test_a_worker_that_left_takes_no_more_tasks_and_is_warmed_up_again_when_it_is_back():
    cluster = ScriptedCluster("a", "b")
    pool = pool_of(cluster)
    pool.refresh()
    cluster.finish("a")
    cluster.finish("b")
    cluster.workers.remove("b")
    assert pool.refresh()
    assert eligible(pool, 2) == [["a"], ["a"]]
    assert len(pool.warm_ups) == 1
    cluster.workers.append("b")
    assert not pool.refresh()  # it is cold
    assert len(cluster.warming["b"]) == 2
    cluster.finish("b")
    assert pool.refresh()
    assert eligible(pool, 2) == [["a"], ["b"]]


def test_tasks_are_restricted_to_the_others_where_one_is_in_quarantine_and_there_are_others():
    quarantine, cluster = Quarantine(), ScriptedCluster("a", "b")
    pool = pool_of(cluster, quarantine)
    pool.refresh()
    assert pool.restricted_to == frozenset()
    quarantine.add(["b"])
    assert pool.refresh()
    assert pool.restricted_to == {"a"}
    assert eligible(pool, 2) == [["a"], ["a"]]
    assert not pool.placement(["task"])["allow_other_workers"]
    cluster.workers.remove("a")
    assert pool.refresh()
    assert pool.restricted_to == frozenset()  # better than nobody
    assert eligible(pool, 1) == [["b"]]
