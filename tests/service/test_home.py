"""The home, where it can't be one."""

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
