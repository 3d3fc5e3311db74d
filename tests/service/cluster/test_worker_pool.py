"""Who is welcome to take tasks, on a cluster that is played."""

from types import SimpleNamespace
from typing import Any, cast

from service.cluster.connection import Cluster
from service.cluster.worker_pool import WorkerPool
from service.rounds.job import Job


class Warming:
    """A task that warms a worker up: done when the test says so."""

    def __init__(self) -> None:
        self.status = "pending"
        self._calls: list[Any] = []

    def add_done_callback(self, call: Any) -> None:
        self._calls.append(call)

    def finish(self) -> None:
        self.status = "finished"
        for call in self._calls:
            call(self)


class Played:
    """A cluster whose workers come and go as the test says. warming: the tasks for each, in order."""

    def __init__(self, *workers: str) -> None:
        self.workers = list(workers)
        self.warming: dict[str, list[Warming]] = {}
        self.client = SimpleNamespace(submit=self._submit)

    def _submit(self, *_: Any, workers: list[str], **__: Any) -> Warming:
        self.warming.setdefault(workers[0], []).append(Warming())
        return self.warming[workers[0]][-1]

    def finish(self, worker: str) -> None:
        self.warming[worker][-1].finish()


def crew_of(cluster: Played, avoided: set[str] | None = None) -> WorkerPool:
    keep_away = avoided if avoided is not None else set()
    job = cast(Job, None)  # nobody is really warmed up
    return WorkerPool(cast(Cluster, cluster), job, "run", avoided=lambda: frozenset(keep_away), warm=set())


def eligible(crew: WorkerPool, tasks: int = 4) -> list[list[str]]:
    keys = [f"task-{index}" for index in range(tasks)]
    return [crew.places(keys)["workers"](key) for key in keys]


def test_founders_take_tasks_at_once_and_newcomers_when_they_are_warm():
    cluster = Played("a", "b")
    crew = crew_of(cluster)
    assert not crew.refresh()  # nothing was placed before
    assert eligible(crew) == [["a"], ["b"], ["a"], ["b"]]
    cluster.finish("a")
    cluster.workers.append("c")
    assert not crew.refresh()
    assert eligible(crew) == [["a"], ["b"], ["a"], ["b"]]
    cluster.finish("c")
    assert crew.refresh()
    assert eligible(crew) == [["a"], ["b"], ["c"], ["a"]]


def test_a_worker_that_left_is_welcome_no_more_and_warmed_up_again_when_it_is_back():
    cluster = Played("a", "b")
    crew = crew_of(cluster)
    crew.refresh()
    cluster.finish("a")
    cluster.finish("b")
    cluster.workers.remove("b")
    assert crew.refresh()
    assert eligible(crew, 2) == [["a"], ["a"]]
    assert len(crew.warming) == 1
    cluster.workers.append("b")
    assert not crew.refresh()  # it is cold
    assert len(cluster.warming["b"]) == 2
    cluster.finish("b")
    assert crew.refresh()
    assert eligible(crew, 2) == [["a"], ["b"]]


def test_tasks_are_bound_to_the_others_where_one_is_avoided_and_there_are_others():
    avoided: set[str] = set()
    cluster = Played("a", "b")
    crew = crew_of(cluster, avoided)
    crew.refresh()
    assert crew.bound == frozenset()
    avoided.add("b")
    assert crew.refresh()
    assert crew.bound == {"a"}
    assert eligible(crew, 2) == [["a"], ["a"]]
    assert not crew.places(["task"])["allow_other_workers"]
    cluster.workers.remove("a")
    assert crew.refresh()
    assert crew.bound == frozenset()  # better than nobody
    assert eligible(crew, 1) == [["b"]]
