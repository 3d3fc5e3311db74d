"""How every task of ours is set up in Prefect."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar

import prefect
from prefect import Task
from prefect.cache_policies import NO_CACHE

P = ParamSpec("P")
R = TypeVar("R")


def task(function: Callable[P, R]) -> Task[P, R]:
    """The function as a Prefect task: never cached, since it acts; never retried, since a run resumes by itself."""
    return prefect.task(cache_policy=NO_CACHE, retries=0, persist_result=False)(function)
