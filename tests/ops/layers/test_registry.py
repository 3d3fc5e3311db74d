"""Layers are found by name; a file in their folder is enough to add one."""

import pytest

import ops
from ops import layers
from ops.errors import OpsError
from ops.layers import base


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(base, "_KINDS", dict(base._KINDS))


def test_every_layer_is_found_by_its_name_in_lower_case():
    public = [getattr(ops, name) for name in ops.__all__ if isinstance(getattr(ops, name), type)]
    kinds = [cls for cls in public if issubclass(cls, ops.Layer) and cls is not ops.Layer]
    assert len(kinds) == 19
    assert [layers.find(cls.__name__.lower()) for cls in kinds] == kinds
    assert {cls.__name__.lower() for cls in kinds} <= set(layers.names())


def test_an_unknown_name_is_refused_with_those_there_are():
    with pytest.raises(OpsError, match=r"layer must be one of adaptiveavgpool2d, avgpool2d, .*, got 'conv3d'"):
        layers.find("conv3d")


def test_a_layer_that_was_registered_is_an_attribute_too():
    @layers.register
    class Halve(ops.Sigmoid):
        pass

    assert layers.Halve is layers.find("halve") is Halve
    with pytest.raises(AttributeError, match="no attribute 'halve'"):
        _ = layers.halve


def test_no_other_module_may_take_a_name():
    imposter = type("Conv2D", (ops.Conv2D,), {"__module__": "elsewhere"})
    with pytest.raises(OpsError, match=r"layer 'conv2d' is there already: ops\.layers\.conv\.Conv2D"):
        layers.register(imposter)
    assert layers.find("conv2d") is ops.Conv2D


def test_a_notebook_may_run_its_cell_again():
    first, second = (layers.register(type("Twice", (ops.Sigmoid,), {})) for _ in range(2))
    assert layers.find("twice") is second is not first
