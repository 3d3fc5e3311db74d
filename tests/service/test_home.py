"""The home, where it can't be one."""

import os
from collections import namedtuple

import pytest

from service import home as module
from service.errors import AtelierError
from service.home import Home


def test_a_disk_with_hardly_any_room_is_told_before_anything_is_begun(home: Home, monkeypatch: pytest.MonkeyPatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(module, "disk_usage", lambda path: usage(module.LEAST_FREE_BYTES - 1))
    with pytest.raises(AtelierError, match=r"can't write to .*: No space left on device; set ATELIER_HOME"):
        home.prepare()
    monkeypatch.setattr(module, "disk_usage", lambda path: usage(module.LEAST_FREE_BYTES))
    home.prepare()


@pytest.mark.parametrize(("flags", "words"), [(os.ST_RDONLY, "Read-only file system"), (0, "Permission denied")])
def test_a_home_that_cannot_be_written_says_why(home: Home, monkeypatch: pytest.MonkeyPatch, flags: int, words: str):
    """As root, who may write anywhere but on a mount that is read-only, these tests have to play both."""
    mount = namedtuple("mount", "f_flag")
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(os, "statvfs", lambda path: mount(flags))
    with pytest.raises(AtelierError, match=f"can't write to .*: {words}; set ATELIER_HOME"):
        home.prepare()
