"""Compiled programs on disk: found again, shared between processes, never trusted blindly."""

import os
import subprocess
import sys

import pytest

import ops
from ops.engines.object_cache import DIGEST, ObjectCache, object_cache
from ops.engines.simd import machine_code as module
from ops.engines.simd.machine_code import machine_code
from ops.network import Network
from ops.step_config import StepConfig

NETWORK = Network("tiny", (1, 4, 4), (ops.Flatten(), ops.Dense(3)))
START = """
import pathlib, re, numpy as np, ops
from ops.engines.base import Replica, Steps
from ops.engines.simd import SimdEngine, machine_code
compiled = []
compile_program = machine_code.compile_program
machine_code.compile_program = lambda plan: compiled.append(plan) or compile_program(plan)
network = ops.Network("lenet", (1, 28, 28), ops.zoo.network("lenet", (1, 28, 28), 10).layers)
engine = SimdEngine(network, ops.StepConfig())
rng = np.random.default_rng(0)
images = rng.integers(0, 256, (60, 28, 28), dtype=np.uint8)
theta = network.init_parameters(0)
steps = Steps(np.arange(60, dtype=np.int32), np.array([0, 40, 60], np.int32), np.ones(2, np.float32))
result = engine.run(Replica(theta, 0 * theta), engine.load(images, images[:, 0, 0] % 10), steps)
status = pathlib.Path("/proc/self/status")
peak = int(re.search("VmHWM:\\s+(\\d+)", status.read_text())[1]) // 1024 if status.exists() else 0
print(repr(result.loss), bool(compiled), peak)
"""


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "simd")


def start(folder):
    """A process that builds an engine with that cache: what it printed, once it is done."""
    return subprocess.Popen(
        [sys.executable, "-c", START],
        env={**os.environ, "ATELIER_CACHE": str(folder)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_what_was_put_is_got(cache):
    cache.put("key", b"code")
    assert cache.get("key") == b"code"
    assert cache.get("other") is None
    assert [path.name for path in cache.folder.iterdir()] == ["key.o"]


@pytest.mark.parametrize("damage", [lambda c: c[:-1], lambda c: c[:DIGEST] + b"x" + c[DIGEST + 1 :], lambda c: b""])
def test_what_is_damaged_counts_as_absent(cache, damage):
    cache.put("key", b"some code")
    path = cache.folder / "key.o"
    path.write_bytes(damage(path.read_bytes()))
    assert cache.get("key") is None


def test_a_folder_that_cannot_be_made_costs_only_time(tmp_path):
    (tmp_path / "file").write_text("in the way")
    cache = ObjectCache(tmp_path / "file" / "simd")
    cache.put("key", b"code")
    assert cache.get("key") is None
    assert machine_code(NETWORK, StepConfig(), cache)


def test_the_second_time_nothing_is_compiled(cache, monkeypatch):
    first = machine_code(NETWORK, StepConfig(), cache)
    monkeypatch.setattr(module, "compile_program", lambda plan: pytest.fail("compiled again"))
    assert machine_code(NETWORK, StepConfig(), cache) == first


@pytest.mark.parametrize(
    ("network", "step_config"),
    [
        (NETWORK, StepConfig(momentum=0.5)),
        (Network("tiny", (1, 4, 4), (ops.Flatten(), ops.Dense(3, bias=False))), StepConfig()),
    ],
)
def test_another_network_or_recipe_is_another_entry(cache, network, step_config):
    machine_code(NETWORK, StepConfig(), cache)
    machine_code(network, step_config, cache)
    assert len(list(cache.folder.iterdir())) == 2


@pytest.mark.slow
def test_processes_that_start_at_once_share_a_cache_and_later_ones_do_not_compile(tmp_path):
    both = [start(tmp_path), start(tmp_path)]
    answers = [process.communicate(timeout=240) for process in both]
    assert [process.returncode for process in both] == [0, 0], answers
    losses, compilers, megabytes = zip(*(out.split() for out, _ in answers), strict=True)
    assert losses[0] == losses[1]
    assert "True" in compilers
    assert max(map(int, megabytes)) < 400  # what a worker may take in all, compiling included
    assert len(list((tmp_path / "simd").iterdir())) == 1
    third = start(tmp_path)
    out, err = third.communicate(timeout=240)
    assert out.split()[:2] == [losses[0], "False"], err


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    object_cache.cache_clear()
    monkeypatch.setenv("ATELIER_CACHE", str(tmp_path / "here"))
    assert object_cache("simd").folder == tmp_path / "here" / "simd"
    object_cache.cache_clear()
    monkeypatch.delenv("ATELIER_CACHE")
    monkeypatch.setenv("ATELIER_HOME", str(tmp_path / "home"))
    assert object_cache("simd").folder == tmp_path / "home" / "cache" / "simd"
    object_cache.cache_clear()
    monkeypatch.setenv("ATELIER_HOME", "s3://bucket/home")
    monkeypatch.setenv("ATELIER_LOCAL", str(tmp_path / "local"))
    assert object_cache("simd").folder == tmp_path / "local" / "cache" / "simd"
    monkeypatch.undo()
    object_cache.cache_clear()
