"""Storages that say yes to every write are told before a training, not when two have published one version."""

from pathlib import Path
from uuid import uuid4

import pytest

from service.errors import StorageError
from service.storage import open_storage
from service.storage.conditions import check_conditional_writes
from tests.object_storage import new_bucket, point_to, serving_objects, trouble


@pytest.mark.parametrize("ignored", ["HTTP_IF_NONE_MATCH", "HTTP_IF_MATCH"])
def test_a_storage_that_ignores_a_condition_is_refused(ignored: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_objects(IGNORED_HEADERS=ignored) as endpoint:
        point_to(endpoint, monkeypatch)
        storage = open_storage(new_bucket(endpoint, "careless"))
        with pytest.raises(StorageError, match="doesn't keep the conditions of a write"):
            check_conditional_writes(storage)


def test_a_storage_that_knows_no_conditions_is_refused_at_once(object_storage: str) -> None:
    storage = open_storage(new_bucket(object_storage, f"simple-{uuid4().hex[:12]}"))
    with (
        trouble(object_storage, refused=501),
        pytest.raises(StorageError, match="doesn't keep the conditions"),
    ):
        check_conditional_writes(storage)


def test_a_storage_that_loses_answers_keeps_conditions_all_the_same(object_storage: str) -> None:
    storage = open_storage(new_bucket(object_storage, f"unsteady-{uuid4().hex[:12]}"))
    with trouble(object_storage, unsteady=5):
        for _ in range(10):
            check_conditional_writes(storage)


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(StorageError, match="can't be read or written"):
        check_conditional_writes(open_storage(tmp_path / "models"))
