"""Adaptive pooling as a layer of a network."""

import numpy as np
import pytest

import ops
from ops.engines import choose
from tests.arrays import normal


@pytest.mark.parametrize("size", [1, (4, 3), (8, 9)])
def test_where_all_windows_are_alike_it_becomes_an_average_pooling_of_the_same_numbers(size):
    layer = ops.AdaptiveAvgPool2D(size)
    (bound,) = ops.Network("n", (2, 8, 9), (layer,)).layers
    assert isinstance(bound, ops.AvgPool2D)
    x = normal(np, 1, (3, 2, 8, 9))
    np.testing.assert_allclose(bound(x), layer(x), rtol=1e-12)


def test_a_network_for_images_of_another_size_has_other_windows():
    layer = ops.AdaptiveAvgPool2D(4)
    assert ops.Network("n", (1, 8, 12), (layer,)).layers == (ops.AvgPool2D((2, 3)),)
    assert ops.Network("n", (1, 9, 12), (layer,)).layers == (layer,)


def test_an_engine_without_kernels_for_uneven_windows_leaves_them_to_the_array_engine():
    def choice(size: int) -> tuple[str, str]:
        layers = (ops.AdaptiveAvgPool2D(size), ops.Flatten(), ops.Dense(3))
        found = choose(ops.Network("n", (1, 12, 12), layers), ops.StepConfig(), device="cpu")
        return found.engine, found.why

    assert choice(4)[0] == "simd"
    engine, why = choice(5)
    assert engine == "array"
    assert "no kernels for adaptiveavgpool2d1 (AdaptiveAvgPool2D)" in why


def test_what_is_no_plane_is_refused():
    with pytest.raises(ops.ShapeError, match=r"AdaptiveAvgPool2D needs an input of shape \(c, h, w\), got \(6,\)"):
        ops.Network("n", (6,), (ops.AdaptiveAvgPool2D(1),))
    with pytest.raises(ops.GeometryError, match="output_size must be >= 1 in both dimensions, got"):
        ops.AdaptiveAvgPool2D(0)
