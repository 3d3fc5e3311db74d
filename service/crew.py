"""Who takes the tasks of a run: a place for each, workers to avoid, and newcomers that are warmed up first."""

from collections.abc import Callable
from functools import partial
from itertools import count
from typing import Any

from distributed import Future

from service.cluster import Cluster
from service.job import Job
from service.rounds import warm_up


class Crew:
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
        self._founders: set[str] = set()
        self._welcome: list[str] = []
        self._is_strict = False

    @property
    def warming(self) -> list[Future]:
        """The tasks by which workers are warmed up."""
        return list(self._warming.values())

    @property
    def bound(self) -> frozenset[str]:
        """The workers that alone may take what is submitted now, where others are to be avoided; else empty."""
        return frozenset(self._welcome) if self._is_strict else frozenset()

    def muster(self) -> bool:
        """Look who is there; have every worker that isn't known yet load the data and compile the engine.

        True if other workers are welcome than before, so that tasks that didn't begin yet had better be placed anew.
        """
        everyone = self._cluster.workers
        self._warm.intersection_update(everyone)
        self._founders.intersection_update(everyone)
        for departed in self._warming.keys() - set(everyone):
            del self._warming[departed]  # one that comes again has to be warmed up again
        nobody_is_ahead = not self._warm
        for worker in everyone:
            if worker not in self._warm and worker not in self._warming:
                if nobody_is_ahead:
                    self._founders.add(worker)
                self._warming[worker] = self._warmed_up(worker)
        avoided = self._avoided()
        others = [worker for worker in everyone if worker not in avoided]
        self._is_strict = 0 < len(others) < len(everyone)
        candidates = others or everyone
        at_home = self._warm | self._founders
        before, self._welcome = self._welcome, [worker for worker in candidates if worker in at_home] or candidates
        return before not in ([], self._welcome)

    def places(self, keys: list[str]) -> dict[str, Any]:
        """Dask's annotations for some tasks: with which worker each had best be, counted round.

        Dask by itself gives tasks only to workers that hold some of their input, which after a solo round is one.
        It is a hint: any other worker may take a task, unless some are to be avoided, which would steal it.
        """
        welcome = self._welcome
        if not welcome:
            return {}
        turns = [welcome if self._is_strict else [welcome[index % len(welcome)]] for index in range(len(keys))]
        return {"workers": dict(zip(keys, turns, strict=True)).get, "allow_other_workers": not self._is_strict}

    def _warmed_up(self, worker: str) -> Future:
        key = f"warm-{self._name}.{next(self._numbers)}-{worker}"
        task = self._cluster.client.submit(warm_up, self._job, key=key, pure=False, workers=[worker])
        task.add_done_callback(partial(self._welcomed, worker))
        return task

    def _welcomed(self, worker: str, task: Future) -> None:
        if task.status == "finished":
            self._warm.add(worker)
