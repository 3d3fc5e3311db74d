"""What every storage has to keep to, whatever it is made of."""

import os
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from multiprocessing import get_context
from pathlib import Path

import pytest

from service.errors import Conflict, NotFound, StorageError
from service.storage import MANIFEST, Storage, open_storage
from service.storage.conditions import check_conditional_writes

FILES = {"a.bin": bytes(range(256)), "b.txt": b"words", MANIFEST: b"{}"}


@pytest.fixture
def storage(place: Path | str) -> Storage:
    return open_storage(place)


def test_a_file_is_put_where_there_is_none(storage: Storage) -> None:
    storage.write("lenet/aliases.json", b"one", None)
    assert storage.read("lenet/aliases.json").content == b"one"
    with pytest.raises(Conflict):
        storage.write("lenet/aliases.json", b"other", None)
    assert storage.read("lenet/aliases.json").content == b"one"


def test_a_file_is_replaced_by_those_who_know_what_it_held(storage: Storage) -> None:
    storage.write("lenet/aliases.json", b"one", None)
    first = storage.read("lenet/aliases.json")
    storage.write("lenet/aliases.json", b"two", first.tag)
    with pytest.raises(Conflict):
        storage.write("lenet/aliases.json", b"three", first.tag)
    assert storage.read("lenet/aliases.json").content == b"two"
    with pytest.raises(Conflict):
        storage.write("lenet/other.json", b"four", first.tag)


def test_what_isnt_there_is_not_found(storage: Storage) -> None:
    for key in ("lenet/aliases.json", f"lenet/1/{MANIFEST}"):
        with pytest.raises(NotFound):
            storage.read(key)
    for act in (storage.soft_delete, storage.restore):
        with pytest.raises(NotFound):
            act("lenet/1")
    assert (storage.published(), storage.published("lenet"), storage.used("lenet"), storage.purge(0)) == (
        [],
        [],
        [],
        [],
    )


def test_what_others_keep_deeper_is_left_alone(storage: Storage) -> None:
    storage.write(f"models/lenet/3/{MANIFEST}", b"{}", None)
    storage.write(f"models/lenet/.deleted-4/{MANIFEST}", b"{}", None)
    assert (storage.published(), storage.purge(0)) == ([], [])
    assert storage.read(f"models/lenet/3/{MANIFEST}").content == b"{}"


def test_a_folder_is_published_once(storage: Storage) -> None:
    storage.publish("lenet/1", FILES)
    assert {name: storage.read(f"lenet/1/{name}").content for name in FILES} == FILES
    with pytest.raises(Conflict):
        storage.publish("lenet/1", {"c.bin": b"", MANIFEST: b"other"})
    assert storage.read(f"lenet/1/{MANIFEST}").content == b"{}"
    with pytest.raises(NotFound):
        storage.read("lenet/1/c.bin")


def test_a_file_is_removed_and_may_be_put_again(storage: Storage) -> None:
    storage.write("lenet/aliases.json", b"one", None)
    storage.remove("lenet/aliases.json")
    with pytest.raises(NotFound):
        storage.read("lenet/aliases.json")
    storage.remove("lenet/aliases.json")
    storage.write("lenet/aliases.json", b"two", None)


def test_every_storage_keeps_the_conditions_of_a_write(storage: Storage) -> None:
    check_conditional_writes(storage)
    assert (storage.published(), storage.used("")) == ([], [])


def test_a_place_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "models").write_text("a file is in the way")
    with pytest.raises(StorageError, match="is no folder"):
        open_storage(tmp_path / "models").published()


def test_folders_are_listed_by_their_parent_and_all(storage: Storage) -> None:
    for folder in ("lenet/1", "lenet/2", "lenet-relu/1", "len/7"):
        storage.publish(folder, FILES)
    storage.write("lenet/aliases.json", b"{}", None)
    assert storage.published("lenet") == ["lenet/1", "lenet/2"]
    assert storage.published() == ["len/7", "lenet-relu/1", "lenet/1", "lenet/2"]
    assert storage.used("lenet") == ["1", "2"]


def test_a_soft_deleted_folder_is_out_of_sight_until_it_is_restored(storage: Storage) -> None:
    storage.publish("lenet/1", FILES)
    storage.soft_delete("lenet/1")
    assert (storage.published(), storage.used("lenet")) == ([], ["1"])
    with pytest.raises(NotFound):
        storage.read(f"lenet/1/{MANIFEST}")
    with pytest.raises(NotFound):
        storage.soft_delete("lenet/1")
    with pytest.raises(Conflict):
        storage.publish("lenet/1", FILES)
    storage.restore("lenet/1")
    assert storage.published() == ["lenet/1"]
    assert {name: storage.read(f"lenet/1/{name}").content for name in FILES} == FILES
    with pytest.raises(NotFound):
        storage.restore("lenet/1")


def test_what_was_deleted_long_ago_is_purged_and_its_name_stays_used(storage: Storage) -> None:
    parent = "x.deleted-y"  # a name that looks like that of a deleted folder
    for name in ("1", "2", "3"):
        storage.publish(f"{parent}/{name}", FILES)
    storage.soft_delete(f"{parent}/1")
    storage.soft_delete(f"{parent}/2")
    storage.restore(f"{parent}/2")
    assert storage.purge(60) == []
    assert storage.purge(0) == [f"{parent}/1"]
    assert storage.purge(0) == []
    assert storage.published() == [f"{parent}/2", f"{parent}/3"]
    assert storage.used(parent) == ["1", "2", "3"]
    with pytest.raises(NotFound):
        storage.restore(f"{parent}/1")
    with pytest.raises(NotFound):
        storage.read(f"{parent}/1/a.bin")
    with pytest.raises(Conflict):
        storage.publish(f"{parent}/1", FILES)


def test_of_many_who_publish_one_folder_one_does(place: Path | str) -> None:
    def publish(mark: int) -> bool:
        try:
            open_storage(place).publish("lenet/1", {**FILES, "mark": bytes([mark])})
        except Conflict:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        won = list(pool.map(publish, range(8)))
    assert sum(won) == 1
    assert open_storage(place).read("lenet/1/mark").content == bytes([won.index(True)])


def test_of_many_changes_to_a_file_none_is_lost(place: Path | str) -> None:
    open_storage(place).write("lenet/count", b"0", None)

    def add(_: int) -> None:
        storage = open_storage(place)
        while True:
            there = storage.read("lenet/count")
            with suppress(Conflict):
                storage.write("lenet/count", str(int(there.content) + 1).encode(), there.tag)
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(add, range(24)))
    assert open_storage(place).read("lenet/count").content == b"24"


def test_a_folder_that_many_delete_and_restore_at_once_is_never_lost(place: Path | str) -> None:
    open_storage(place).publish("lenet/1", FILES)

    def turn(step: int) -> None:
        storage = open_storage(place)
        with suppress(NotFound):
            (storage.soft_delete if step % 2 else storage.restore)("lenet/1")

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(turn, range(40)))
    storage = open_storage(place)
    if not storage.published():
        storage.restore("lenet/1")
    assert {name: storage.read(f"lenet/1/{name}").content for name in FILES} == FILES


class _Deadly(Mapping[str, bytes]):
    """Files of which the manifest kills whoever takes it."""

    def __getitem__(self, name: str) -> bytes:
        if name == MANIFEST:
            os.kill(os.getpid(), signal.SIGKILL)
        return FILES[name]

    def __iter__(self) -> Iterator[str]:
        return iter(FILES)

    def __len__(self) -> int:
        return len(FILES)


def _die_publishing(place: Path | str) -> None:
    open_storage(place).publish("lenet/1", _Deadly())


def test_a_publisher_killed_before_its_manifest_leaves_no_folder(place: Path | str) -> None:
    process = get_context("spawn").Process(target=_die_publishing, args=(place,))
    process.start()
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    storage = open_storage(place)
    assert storage.published() == []
    storage.publish(f"lenet/{len(storage.used('lenet')) + 1}", FILES)
    assert len(storage.published()) == 1
