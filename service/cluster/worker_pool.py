"""Who takes the tasks of a run: a place for each, workers to avoid, and newcomers that are warmed up first."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from distributed import Future

from service.cluster.connection import Cluster
from service.rounds.job import Job
from service.rounds.tasks import warm_up


class WorkerPool:
    """The workers that there are, as one window of rounds sees them.

    avoided: says which workers, by address, get no tasks for now as long as there are others.
    warm: addresses of workers that are known to be warmed up, which are preferred; more are added.
    """

    def __init__(
        self, cluster: Cluster, job: Job, name: str, *, avoided: Callable[[], frozenset[str]], warm: set[str]
    ) -> None:
        self._cluster = cluster
        self._job = job
        self._name = name
        self._avoided = avoided
        self._warm = warm
        self._warming: dict[str, Future] = {}
        self._numbers = count()
        # Workers that were here when nobody was warm: to wait until they are would gain nothing.
        self._initial_workers: set[str] = set()
        self._eligible: list[str] = []
        self._is_binding = False

    @property
    def warming(self) -> list[Future]:
        """The tasks by which workers are warmed up."""
        return list(self._warming.values())

    @property
    def bound(self) -> frozenset[str]:
        """The workers that alone may take what is submitted now, where others are to be avoided; else empty."""
        return frozenset(self._eligible) if self._is_binding else frozenset()

    def refresh(self) -> bool:
        """Look who is there. True if others take tasks than before: those not begun had better be placed anew."""
        everyone = self._cluster.workers
        self._forget_departed(everyone)
        self._warm_up_newcomers(everyone)
        before, self._eligible = self._eligible, self._chosen(everyone)
        return before not in ([], self._eligible)

    def places(self, keys: list[str]) -> dict[str, Any]:
        """Dask's annotations for some tasks: with which worker each had best be, counted round.

        Dask by itself gives tasks only to workers that hold some of their input, which after a solo round is one.
        With nobody to avoid it is a hint, and any worker may take the task; else it is binding, or they would steal it.
        """
        eligible = self._eligible
        if not eligible:
            return {}
        turns = [eligible if self._is_binding else [eligible[index % len(eligible)]] for index in range(len(keys))]
        return {"workers": dict(zip(keys, turns, strict=True)).get, "allow_other_workers": not self._is_binding}

    def _forget_departed(self, everyone: list[str]) -> None:
        """One that comes again has to be warmed up again."""
        self._warm.intersection_update(everyone)
        self._initial_workers.intersection_update(everyone)
        for departed in self._warming.keys() - set(everyone):
            del self._warming[departed]

    def _warm_up_newcomers(self, everyone: list[str]) -> None:
        """Have every worker that isn't known yet load the data and compile the engine."""
        newcomers = [worker for worker in everyone if worker not in self._warm and worker not in self._warming]
        if not self._warm:
            self._initial_workers.update(newcomers)
        for worker in newcomers:
            self._warming[worker] = self._start_warm_up(worker)

    def _chosen(self, everyone: list[str]) -> list[str]:
        """Those who are to take tasks."""
        avoided = self._avoided()
        others = [worker for worker in everyone if worker not in avoided]
        self._is_binding = 0 < len(others) < len(everyone)
        candidates = others or everyone
        return [worker for worker in candidates if worker in self._warm | self._initial_workers] or candidates

    def _start_warm_up(self, worker: str) -> Future:
        key = f"warm-{self._name}.{next(self._numbers)}-{worker}"
        task = self._cluster.client.submit(warm_up, self._job, key=key, pure=False, workers=[worker])
        task.add_done_callback(partial(self._note_warm, worker))
        return task

    def _note_warm(self, worker: str, task: Future) -> None:
        if task.status == "finished":
            self._warm.add(worker)
