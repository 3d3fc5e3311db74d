"""Which workers keep a coordinator waiting, and which of them have good reason to."""

from collections.abc import Iterable

from service.cluster.connection import Cluster
from service.cluster.submission import SubmittedTasks
from service.cluster.workers import silent_workers


def holdings(cluster: Cluster, tasks: SubmittedTasks) -> dict[str, set[str]]:
    """For each worker, the keys of the results that it holds, of these tasks and of what they take."""
    keys = tasks.inputs.keys() | {key for inputs in tasks.inputs.values() for key in inputs}
    held: dict[str, set[str]] = {}
    for key, workers in cluster.who_has(keys).items():
        for worker in workers:
            held.setdefault(worker, set()).add(key)
    return held


def blocking_workers(cluster: Cluster, tasks: SubmittedTasks) -> frozenset[str]:
    """The workers that tasks wait for; those that send heartbeats and also have tasks of other runs are left out.

    A worker blocks that has been assigned one of the tasks, or that holds an input which such a task still lacks.
    So does a silent worker that holds an awaited result.
    """
    silent = silent_workers(cluster.worker_info())
    processing, held = cluster.processing(), holdings(cluster, tasks)
    finished = {task.key for task in tasks.awaited if task.status == "finished"}
    blocking = {worker for worker, keys in held.items() if worker in silent and finished & keys}
    for worker, keys in processing.items():
        for key in tasks.inputs.keys() & set(keys):
            missing = set() if worker in silent else set(tasks.inputs[key]) - held.get(worker, set())
            blocking |= {other for other, there in held.items() if missing & there} or {worker}
    shared = {worker for worker, keys in processing.items() if _has_foreign(keys, tasks.run_tag)}
    return frozenset(blocking - (shared - silent))


def waits_for_other_runs(cluster: Cluster, tasks: SubmittedTasks) -> bool:
    """Whether some of these tasks are assigned to workers while workers also have tasks of other runs."""
    assigned = cluster.processing().values()
    has_own = any(not tasks.inputs.keys().isdisjoint(keys) for keys in assigned)
    return has_own and any(_has_foreign(keys, tasks.run_tag) for keys in assigned)


def needs_resubmission(cluster: Cluster, tasks: SubmittedTasks) -> bool:
    """Whether Dask can't finish tasks after a worker left, or only by computing older rounds again.

    They may be restricted to workers that are gone. Or inputs of theirs are gone, which would be computed again with
    the inputs of these, back to the first round in the scheduler's memory.
    """
    if tasks.restricted_to and tasks.restricted_to.isdisjoint(cluster.workers):
        return True
    held = set().union(*holdings(cluster, tasks).values())
    missing = tasks.inputs.keys() - held
    return not {key for task in missing for key in tasks.inputs[task]} <= held | missing


def _has_foreign(keys: Iterable[str], run_tag: str) -> bool:
    return any(run_tag not in key for key in keys)
