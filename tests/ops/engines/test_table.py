"""Engines by name, those of other packages among them."""

import sys

import numpy as np
import pytest

import ops
from ops.engines import Choice, build, choose, find, names, table
from ops.engines.base import Engine
from tests.packages import install

NETWORK = ops.network("mlp", (1, 8, 8), 3)

PLUGIN = """
from ops.engines.array import ArrayEngine

class Quick(ArrayEngine):
    name = "quick"
    devices = ("cpu",)
    releases_gil = True
    speed_rank = 1

    @classmethod
    def supports(cls, network, step_config, device):
        return "engine 'quick' takes no momentum" if step_config.momentum else ""
"""


@pytest.fixture
def other_package(tmp_path, monkeypatch):
    """An installed package with an engine, one that can't be imported, and one named like ours."""
    engines = {"quick": "other_engine:Quick", "broken": "other_engine_that_is_not:X", "simd": "sys:path"}
    install(tmp_path, monkeypatch, "other_engine", PLUGIN, {table.GROUP: engines})
    table._entries.cache_clear()
    yield
    sys.modules.pop("other_engine", None)
    table._entries.cache_clear()


@pytest.mark.parametrize("name", ["array", "simd", "cuda"])
def test_each_engine_says_what_it_is(name):
    engine = find(name)
    assert engine.name == name
    assert set(engine.devices) <= {"cpu", "cuda"}
    assert engine.devices
    missing = [part for part in vars(Engine) if not part.startswith("_") and not hasattr(engine, part)]
    assert missing == []


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(ops.Unsupported, match="engine must be one of array, cuda, simd, got 'fast'"):
        find("fast")
    with pytest.raises(ops.Unsupported, match="got 'fast'"):
        choose(NETWORK, ops.StepConfig(), engine="fast")


def test_another_package_adds_an_engine_by_an_entry_point_alone(other_package):
    assert names() == ["array", "broken", "cuda", "quick", "simd"]
    choice = choose(NETWORK, ops.StepConfig(), device="cpu")
    assert (choice.engine, choice.device) == ("quick", "cpu")
    engine = build(choice, NETWORK, ops.StepConfig())
    assert type(engine).__module__ == "other_engine"
    assert engine.predict(NETWORK.init_parameters(0), np.zeros((2, 8, 8), np.uint8)).shape == (2, 3)


def test_what_it_refuses_is_taken_by_the_next_and_said(other_package):
    choice = choose(NETWORK, ops.StepConfig(momentum=0.9), device="cpu")
    assert choice.engine == "simd"
    assert "engine 'quick' takes no momentum" in choice.why
    assert "engine 'broken' can't be imported" in choice.why


def test_no_package_can_take_the_place_of_a_built_in_engine(other_package):
    assert find("simd").__module__ == "ops.engines.simd.engine"


def test_a_broken_engine_is_an_error_only_for_who_asks_for_it(other_package):
    with pytest.raises(ops.Unsupported, match="engine 'broken' can't be imported: No module named"):
        choose(NETWORK, ops.StepConfig(), engine="broken")


def test_engines_that_run_without_pythons_lock_say_so():
    assert [name for name in names() if find(name).releases_gil] == ["simd"]


def test_a_choice_can_be_built_again():
    assert build(Choice("array", "cpu"), NETWORK, ops.StepConfig()).name == "array"
