"""Which workers take a run's tasks: a place for each task, quarantine, and new workers that are warmed up first."""

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from itertools import count
from typing import Any

from distributed import Future

from service.cluster.code_version import code_version
from service.cluster.connection import ANSWER_SECONDS, LOST, Cluster
from service.cluster.fingerprints import WorkerDiffers, check_fingerprint, why_excluded
from service.cluster.placement import place
from service.cluster.quarantine import Quarantine
from service.rounds.job import Job
from service.rounds.tasks import warm_up


class WorkerPool:
    """The workers that a run's tasks are placed on.

    A worker that joins while others are warm gets tasks once it has loaded the data and compiled the engine.
    """

    def __init__(
        self,
        cluster: Cluster,
        run_tag: str,
        quarantine: Quarantine,
        *,
        job: Job | None = None,
        warm: set[str] | None = None,
    ) -> None:
        """Begin with no workers; `refresh` finds them.

        Args:
            cluster: where they are.
            run_tag: part of the key of each of the run's tasks.
            quarantine: workers that get no tasks as long as there are others.
            job: what workers are warmed up for; None warms nobody up.
            warm: addresses of workers known to be warm. Others are added as they are warmed up.
        """
        self._cluster = cluster
        self._run_tag = run_tag
        self._quarantine = quarantine
        self._job = job
        self._warm = warm if warm is not None else set()
        self._warm_ups: dict[str, Future] = {}
        self._numbers = count()
        # Workers that were here when none was warm: nothing would be gained by waiting for them.
        self._initial_workers: set[str] = set()
        self._eligible: list[str] = []
        self._is_restricted = False

    @property
    def warm_ups(self) -> list[Future]:
        """The tasks by which workers are warmed up."""
        return list(self._warm_ups.values())

    @property
    def has_eligible(self) -> bool:
        """Whether any worker may take tasks."""
        return bool(self._eligible)

    @property
    def restricted_to(self) -> frozenset[str]:
        """The only workers that may take what is submitted now, while others are in quarantine; else empty."""
        return frozenset(self._eligible) if self._is_restricted else frozenset()

    def refresh(self) -> bool:
        """Look which workers there are.

        Returns:
            Whether other workers are eligible than before, so that tasks which have not begun are better placed anew.
        """
        workers = self._cluster.workers
        self._forget_departed(workers)
        if self._job is not None:
            self._warm_up_new(workers, self._job)
        before, self._eligible = self._eligible, self._choose_eligible(workers)
        return before not in ([], self._eligible)

    def placement(self, keys: list[str]) -> dict[str, Any]:
        """Where some tasks are to be computed; see `place`. Those of no job take no others' results: Dask decides."""
        if self._job is None and not self._is_restricted:
            return {}
        return place(keys, self._eligible, restricted=self._is_restricted)

    def _forget_departed(self, workers: Iterable[str]) -> None:
        """Have a worker that comes back warmed up again."""
        self._warm.intersection_update(workers)
        self._initial_workers.intersection_update(workers)
        for departed in self._warm_ups.keys() - set(workers):
            del self._warm_ups[departed]

    def _warm_up_new(self, workers: list[str], job: Job) -> None:
        unusable = self._quarantine.excluded
        new = [worker for worker in workers if worker not in self._warm | self._warm_ups.keys() | unusable]
        if not self._warm:
            self._initial_workers.update(set(new) - self._quarantine.workers)
        for worker in new:
            key = f"warm-{self._run_tag}.{next(self._numbers)}-{worker}"
            task = self._cluster.client.submit(_warm_up, job, key=key, pure=False, workers=[worker])
            task.add_done_callback(partial(self._note_warm, worker))
            self._warm_ups[worker] = task

    def _choose_eligible(self, workers: list[str]) -> list[str]:
        quarantined, excluded = self._quarantine.workers, self._quarantine.excluded
        others = [worker for worker in workers if worker not in quarantined]
        candidates = others or [worker for worker in workers if worker not in excluded]
        self._is_restricted = 0 < len(candidates) < len(workers)
        if self._job is None:
            return candidates
        return [worker for worker in candidates if worker in self._warm | self._initial_workers] or candidates

    def _note_warm(self, worker: str, task: Future) -> None:
        if task.status == "finished":
            self._warm.add(worker)
            with suppress(*LOST):
                self._quarantine.note_code(worker, task.result(timeout=ANSWER_SECONDS))
        elif task.status == "error" and self._job is not None and self._job.fingerprint is not None:
            error = task.exception(timeout=ANSWER_SECONDS)
            if isinstance(error, WorkerDiffers):
                self._quarantine.exclude(worker, why_excluded(worker, error.found, self._job.fingerprint))


def _warm_up(job: Job) -> str:
    """Runs on a new worker. The version of its code."""
    check_fingerprint(job)
    warm_up(job)
    return code_version()
