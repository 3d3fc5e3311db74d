"""The launch plan keeps to a GPU's limits, and every buffer holds what the kernels put there."""

import pytest

from ops import zoo
from ops.engines.cuda import check
from ops.engines.cuda.layout import layout
from ops.engines.cuda.plan import CHUNK, plan, predict_launch
from ops.engines.cuda.source import THREADS
from ops.engines.cuda.support import MOST_SHARED
from ops.errors import Unsupported
from ops.recipe import Recipe
from tests.ops.engines.simd.cases import NETWORKS

LENET = zoo.network("lenet", (1, 28, 28), 10)
PLANNED = [LENET, *(network for name, network in NETWORKS.items() if name != "resized")]


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_launches_keep_to_the_limits_of_every_gpu(network):
    made = plan(network, 256, 1000, 4)
    for launch in (*made.launches, predict_launch(network, 256)):
        assert 0 < launch.block <= 1024
        assert 0 < launch.grid < 2**31
        assert launch.shared <= MOST_SHARED
    assert THREADS % 32 == 0


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_no_two_kernels_of_a_step_write_one_buffer_and_all_arguments_are_known(network):
    made = plan(network, 16, 100, 4)
    known = {*made.buffers, "images", "labels"}
    for k in range(CHUNK):
        forth, update = made.launches[2 * k : 2 * k + 2]
        assert not set(forth.writes) & set(update.writes)
        for launch in (forth, update):
            assert {a for a in launch.arguments if isinstance(a, str)} <= known
            assert set(launch.writes) <= set(launch.arguments)
            assert launch.arguments[-1] == k


def test_update_has_a_thread_for_each_parameter_and_one_block_more_for_the_sums():
    made = plan(LENET, 256, 1000, 4)
    assert (made.launches[1].grid - 1) * THREADS >= LENET.size > (made.launches[1].grid - 2) * THREADS


def test_stash_of_lenet_is_dense_inputs_and_gradients_and_the_filters():
    assert layout(LENET).stash_floats == (400 + 120) + (120 + 84) + (84 + 10) + (150 + 6) + (2400 + 16)
    assert plan(LENET, 256, 1000, 4).buffers["stash"].bytes == 256 * 4 * layout(LENET).stash_floats


def test_round_tables_reach_past_the_last_step_to_the_end_of_a_graph():
    made = plan(LENET, 8, 100, CHUNK + 1)
    assert made.buffers["offsets"].shape == (2 * CHUNK + 1,)
    assert made.buffers["rates"].shape == (2 * CHUNK,)


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_numbers_that_live_together_do_not_overlap(network):
    place = layout(network)
    first, second = place.gradients
    assert max(place.outputs) < first < second < place.floats
    assert list(place.outputs) == sorted(place.outputs)


def test_alexnet_is_refused_with_numbers():
    with pytest.raises(Unsupported, match=r"at most 2,000,000 parameters, 'alexnet' has [\d,]+"):
        check(zoo.network("alexnet", (1, 224, 224), 10), Recipe())
