"""Convolutions on tensor cores: who gets which part, and that nothing in shared memory lies where something else is."""

from itertools import pairwise
from math import ceil, prod

import pytest

from ops import Conv2D, Dense, Flatten, ReLU, zoo
from ops.engines.cuda.layout import MOST_SHARED_TENSOR, layout
from ops.engines.cuda.tensor import BANKS, MOST_SCRATCH, WARPS, halo, pitch, product
from ops.network import Network
from ops.testing.cases import NETWORKS

LENET = zoo.network("lenet", (1, 28, 28), 10)


@pytest.mark.parametrize("name", ["lenet", *NETWORKS])
def test_every_warp_has_at_most_one_part_and_all_taps_have_a_warp(name):
    network = LENET if name == "lenet" else NETWORKS[name]
    for index, layer in enumerate(network.layers):
        how = product(network, index)
        if how is None:
            continue
        taps = network.shapes[index][0] * prod(layer.kernel_size)
        groups = ceil(ceil(taps / 16) / how.mine)
        assert groups * how.parts <= WARPS
        assert how.input_shape[0] % how.at_once == 0
        assert how.scratch <= MOST_SCRATCH
        assert how.table >= taps + prod(network.shapes[index + 1][1:])


def test_lenets_filters_keep_nearly_all_warps_at_work():
    first, second = product(LENET, 0), product(LENET, 3)
    assert (first.mine, first.parts) == (2, 16)
    assert (second.mine, second.parts) == (2, 3)  # five groups of two tiles, three parts each: 15 warps
    assert second.at_once == 2


def test_only_an_image_has_zeros_around_it():
    padded = Conv2D(4, 3, padding=1)
    network = Network("padded twice", (1, 8, 8), (padded, ReLU(), padded, Flatten(), Dense(3)))
    assert halo(network) == (1, 1)
    assert product(network, 0).input_shape[:2] == (1, 10)
    assert product(network, 2) is None
    assert product(Network("strided", (1, 9, 9), (ReLU(), Conv2D(4, 3, stride=2), Flatten(), Dense(3))), 1) is None
    assert product(Network("many", (1, 9, 9), (Conv2D(33, 3), Flatten(), Dense(3))), 0) is None


@pytest.mark.parametrize("width", [5, 12, 28, 32, 44, 45])
def test_rows_of_an_image_begin_in_different_banks(width):
    assert pitch(width) >= width
    assert pitch(width) % BANKS in (12, 20)
    assert pitch(width) < width + BANKS


def test_rows_of_weights_ahead_lie_where_nothing_else_is_meanwhile():
    place = layout(LENET, MOST_SHARED_TENSOR, tensor_cores=True)
    kept = place.kept
    assert kept is not None
    (inputs,), (units,) = LENET.shapes[kept.layer], LENET.shapes[kept.layer + 1]
    taken = [(start, start + rows * inputs) for start, rows in kept.pieces]
    # what is made on the way forward, what goes back through the dense layers, filters and tables
    for example in range(place.examples):
        begin = example * place.floats
        taken += [(begin, begin + place.gradients[0])]
        taken += [(begin + at, begin + at + inputs) for at in place.gradients]
    taken += [(place.examples * place.floats, place.scratch), (kept.gradients, kept.gradients + place.examples * units)]
    taken.sort()
    assert all(end <= start for (_, end), (start, _) in pairwise(taken))
    assert taken[-1][1] <= place.end
    assert place.bytes <= MOST_SHARED_TENSOR
    assert all(start % 4 == 0 for start, _ in kept.pieces)
    assert sum(rows for _, rows in kept.pieces) % 8 == 0
