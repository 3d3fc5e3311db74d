"""Finding models, among versions made by hand."""

import base64
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.errors import InvalidInput
from service.registry import ModelVersion
from service.registry.search import SORTS, Query, find
from service.storage import LocalStorage

NOWHERE = LocalStorage(Path("nowhere"))


def version(name: str, number: int, accuracy: float = 0.5, **changes: Any) -> ModelVersion:
    given: dict[str, Any] = {
        "created": f"2026-11-{number:02}T00:00:00+00:00",
        "dataset": "fashion-mnist",
        "tags": (),
        "metrics": {
            "test_accuracy": accuracy,
            "test_loss": 1 - accuracy,
            "train_accuracy": accuracy,
            "train_loss": 1 - accuracy,
        },
        **changes,
    }
    return ModelVersion(
        name=name, version=number, class_names=(), network={}, lineage={}, files={}, storage=NOWHERE, **given
    )


@dataclass
class Given:
    """A registry of nothing but versions."""

    versions: list[ModelVersion]

    def everything(self) -> list[ModelVersion]:
        return self.versions


def labels(versions: list[ModelVersion], **query: Any) -> list[str]:
    page = find(Given(versions), Query(**query))  # type: ignore[arg-type]  # it is asked for everything, and no more
    return [model.label for model in page.items]


VERSIONS = [
    version("b", 1, 0.7),
    version("a", 3, 0.9),
    version("a", 2, 0.8, dataset="digits", tags=("small", "fast")),
    version("c", 4, 0.6, tags=("small",)),
]


@pytest.mark.parametrize(
    ("sort", "expected"),
    [
        ("created", ["b:1", "a:2", "a:3", "c:4"]),
        ("name", ["a:2", "a:3", "b:1", "c:4"]),
        ("test_accuracy", ["c:4", "b:1", "a:2", "a:3"]),
        ("train_accuracy", ["c:4", "b:1", "a:2", "a:3"]),
        ("test_loss", ["a:3", "a:2", "b:1", "c:4"]),
        ("train_loss", ["a:3", "a:2", "b:1", "c:4"]),
    ],
)
def test_models_are_sorted_either_way(sort: str, expected: list[str]) -> None:
    assert labels(VERSIONS, sort=sort) == expected
    assert labels(VERSIONS, sort=f"-{sort}") == expected[::-1]


def test_every_order_has_a_test_and_the_newest_come_first() -> None:
    assert set(SORTS) == {"created", "name", "test_accuracy", "test_loss", "train_accuracy", "train_loss"}
    assert labels(VERSIONS) == ["c:4", "a:3", "a:2", "b:1"]


def test_equals_are_sorted_by_name_and_number() -> None:
    same = {"created": "2026-11-01T00:00:00+00:00"}
    versions = [version("b", 1, **same), version("a", 10, **same), version("a", 9, **same)]
    for sort in ("created", "test_accuracy"):
        assert labels(versions, sort=sort) == ["a:9", "a:10", "b:1"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ({"dataset": "digits"}, ["a:2"]),
        ({"tag": "small"}, ["a:2", "c:4"]),
        ({"tag": "fast"}, ["a:2"]),
        ({"tag": "sm"}, []),
        ({"name": "a"}, ["a:2", "a:3"]),
        ({"min_accuracy": 0.8}, ["a:2", "a:3"]),
        ({"min_accuracy": 0.8, "dataset": "fashion-mnist"}, ["a:3"]),
        ({"tag": "small", "name": "c"}, ["c:4"]),
    ],
)
def test_models_are_found_by_all_that_is_asked_for(query: dict[str, Any], expected: list[str]) -> None:
    assert labels(VERSIONS, sort="name", **query) == expected


@pytest.mark.parametrize("limit", [1, 2, 3, 4, 5, 100])
@pytest.mark.parametrize("sort", ["name", "-created"])
def test_pages_together_are_the_whole(limit: int, sort: str) -> None:
    seen: list[str] = []
    cursor, pages = "", 0
    while True:
        page = find(Given(VERSIONS), Query(sort=sort, limit=limit, cursor=cursor))  # type: ignore[arg-type]
        pages += 1
        assert page.total == 4
        assert len(page.items) <= limit
        seen += [model.label for model in page.items]
        cursor = page.cursor
        assert set(cursor) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_")
        if not cursor:
            break
    assert seen == labels(VERSIONS, sort=sort)
    assert pages == -(-4 // limit)


@pytest.mark.parametrize("length", range(1, 24))
def test_a_page_may_end_with_a_name_of_any_length(length: int) -> None:
    versions = [version("a" * length, 1), version("b", 1)]
    first = find(Given(versions), Query(sort="name", limit=1))  # type: ignore[arg-type]
    assert labels(versions, sort="name", cursor=first.cursor) == ["b:1"]


def test_nothing_is_found_on_one_empty_page() -> None:
    page = find(Given([]), Query())  # type: ignore[arg-type]
    assert (page.items, page.total, page.cursor) == ((), 0, "")


def test_an_order_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(InvalidInput) as refused:
        labels(VERSIONS, sort="-path")
    assert str(refused.value) == (
        "sort must be one of created, name, test_accuracy, test_loss, train_accuracy, train_loss, "
        "with or without a leading minus, got 'path'"
    )


@pytest.mark.parametrize("limit", [-1, 0, 101])
def test_a_page_of_no_or_too_many_models_is_refused(limit: int) -> None:
    with pytest.raises(InvalidInput) as refused:
        labels(VERSIONS, limit=limit)
    assert str(refused.value) == f"limit must be in [1, 100], got {limit}"


def encoded(value: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


@pytest.mark.parametrize("cursor", ["!", "W1tb", encoded("a:9"), encoded(3), encoded(["a:3"]), "W" * 100_000, "a" * 5])
def test_a_cursor_that_no_query_gave_is_refused(cursor: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        labels(VERSIONS, cursor=cursor)
    assert str(refused.value) == "cursor is not one that this query gave"


def test_a_cursor_is_the_last_version_of_the_page_before() -> None:
    # Cursors are kept by clients: one of before goes on where it did.
    assert labels(VERSIONS, sort="name", cursor=encoded("a:3")) == ["b:1", "c:4"]
