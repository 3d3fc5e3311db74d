"""Finding models: filter, sort, and turn the pages."""

import base64
import json
from collections.abc import Iterable
from dataclasses import dataclass

from service.errors import InvalidInput
from service.registry.registry import Registry
from service.registry.version import ModelVersion

SORTS = ("created", "name", "test_accuracy", "test_loss", "train_accuracy", "train_loss")
LIMIT = 100


@dataclass(frozen=True)
class Query:
    """What to look for. Empty strings and 0 ask for nothing; `sort` with a leading minus turns the order round."""

    dataset: str = ""
    min_accuracy: float = 0.0
    tag: str = ""
    name: str = ""
    sort: str = "-created"
    limit: int = 20
    cursor: str = ""


@dataclass(frozen=True)
class Page:
    """Some of what was found. `cursor` asks for the next page; empty on the last."""

    items: tuple[ModelVersion, ...]
    total: int
    cursor: str


def find(registry: Registry, query: Query) -> Page:
    """The versions that match, a page at a time. Raises InvalidInput for a sort, limit or cursor that can't be."""
    key = query.sort.removeprefix("-")
    if key not in SORTS:
        raise InvalidInput(f"sort must be one of {', '.join(SORTS)}, with or without a leading minus, got {key!r}")
    if not 1 <= query.limit <= LIMIT:
        raise InvalidInput(f"limit must be in [1, {LIMIT}], got {query.limit}")
    found = sorted(_matching(registry.everything(), query), key=lambda model: _place(model, key))
    if query.sort.startswith("-"):
        found.reverse()
    start = 0
    if query.cursor:
        # The cursor names the last version of the page before: pages stay right while models are published.
        last = _decode(query.cursor)
        labels = [model.label for model in found]
        if last not in labels:
            raise InvalidInput("cursor is not one that this query gave")
        start = labels.index(last) + 1
    items = tuple(found[start : start + query.limit])
    more = start + len(items) < len(found)
    return Page(items, len(found), _encode(items[-1].label) if more else "")


def _matching(models: Iterable[ModelVersion], query: Query) -> list[ModelVersion]:
    return [
        model
        for model in models
        if (not query.dataset or model.dataset == query.dataset)
        and (not query.tag or query.tag in model.tags)
        and (not query.name or model.name == query.name)
        and model.metrics["test_accuracy"] >= query.min_accuracy
    ]


def _place(model: ModelVersion, key: str) -> tuple[str | float, str, int]:
    own: str | float = getattr(model, key) if key in ("created", "name") else model.metrics[key]
    return own, model.name, model.version


def _encode(label: str) -> str:
    return base64.urlsafe_b64encode(json.dumps(label).encode()).decode().rstrip("=")


def _decode(cursor: str) -> str:
    try:
        return str(json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))))
    except (ValueError, RecursionError):
        raise InvalidInput("cursor is not one that this query gave") from None
