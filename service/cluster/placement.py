"""On which worker each task is to be computed."""

from collections.abc import Sequence
from typing import Any


def place(keys: Sequence[str], workers: Sequence[str], *, restricted: bool) -> dict[str, Any]:
    """Dask's annotations for some tasks: a preferred worker for each, round robin.

    Dask by itself places tasks only on workers that hold some of their input, which after a solo round is one worker.

    Args:
        keys: the tasks' keys.
        workers: the addresses of the workers that may take them. Without any, Dask decides.
        restricted: whether no other worker may take them: while some are in quarantine, these would steal tasks.
            Else the placement is a hint.
    """
    if not workers:
        return {}
    turns = [workers if restricted else [workers[index % len(workers)]] for index in range(len(keys))]
    return {"workers": dict(zip(keys, turns, strict=True)).get, "allow_other_workers": not restricted}
