"""What `tests/gpu/pack` takes along; needs no GPU."""

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

import pytest

LOCK = """\
aiosqlite==0.22.1 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
async-timeout==5.0.1 ; python_full_version < '3.11.3' \\
    --hash=sha256:cc
numpy==2.4.6 ; python_full_version < '3.12' \\
    --hash=sha256:dd
numpy==2.5.5 ; python_full_version >= '3.12' \\
    --hash=sha256:ee
pywin32==312 ; sys_platform == 'win32' \\
    --hash=sha256:ff
ruamel-yaml==0.19.1 \\
    --hash=sha256:11
"""


@pytest.fixture(scope="module")
def pack():
    loader = SourceFileLoader("pack", str(Path(__file__).with_name("pack")))
    module = module_from_spec(spec_from_loader("pack", loader))
    loader.exec_module(module)
    return module


def test_what_the_machine_has_and_what_is_for_others_stays_behind(pack):
    entries = list(pack.wanted(LOCK, {"ruamel-yaml"}, "3.12"))
    assert [entry.partition(" ")[0] for entry in entries] == ["aiosqlite==0.22.1", "numpy==2.5.5"]
    assert entries[0].count("--hash=sha256:") == 2
    older = pack.wanted(LOCK, {"numpy", "aiosqlite"}, "3.11")
    assert [entry.partition(" ")[0] for entry in older] == ["async-timeout==5.0.1", "ruamel-yaml==0.19.1"]


def test_every_entry_of_our_lock_is_read(pack):
    lock = pack.TREE.joinpath("requirements.lock").read_text()
    names = [entry.partition("==")[0] for entry in pack.wanted(lock, set(), "3.12")]
    assert len(names) == len(set(names))
    assert {"dask", "numpy", "prefect", "zarr"} <= set(names)
