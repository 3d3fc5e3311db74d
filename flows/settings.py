"""How every task of ours is set up in Prefect, and what flows take from the environment."""

import os
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


def least_seconds() -> float:
    """Between two updates of the same artifact: one for people who watch, more on an embedded server without pages."""
    return 10.0 if os.environ.get("PREFECT_SERVER_UI_ENABLED") == "false" else 1.0


def gallery_url() -> str:
    """Where people see the models (`ATELIER_GALLERY_URL`); empty where nobody said."""
    return os.environ.get("ATELIER_GALLERY_URL", "").rstrip("/")
