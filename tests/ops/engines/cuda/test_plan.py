"""The launch plan keeps to a GPU's limits, and every buffer holds what the kernels put there."""

import re
from pathlib import Path

import pytest

from ops import zoo
from ops.engines import cuda
from ops.engines.cuda import check
from ops.engines.cuda.calls import THREADS
from ops.engines.cuda.layout import MOST_SHARED, TILE, layout, update_jobs
from ops.engines.cuda.plan import CHUNK, UPDATE_JOBS, plan, predict_launch
from ops.errors import Unsupported
from ops.step_config import StepConfig
from tests.ops.engines.simd.cases import NETWORKS

STEP = (Path(cuda.__file__).parent / "step.cu").read_text()
LENET = zoo.network("lenet", (1, 28, 28), 10)
PLANNED = [LENET, *(network for name, network in NETWORKS.items() if name != "resized")]


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_launches_keep_to_the_limits_of_every_gpu(network):
    made = plan(network, layout(network), 256, 1000, 4)
    for launch in (*made.launches, predict_launch(layout(network), 256)):
        assert 0 < launch.block <= 1024
        assert 0 < launch.grid < 2**31
        assert launch.shared <= MOST_SHARED
    assert THREADS % 32 == 0


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_no_two_kernels_of_a_step_write_one_buffer_and_all_arguments_are_known(network):
    made = plan(network, layout(network), 16, 100, 4)
    known = {*made.buffers, "images", "labels"}
    for k in range(CHUNK):
        forth, update = made.launches[2 * k : 2 * k + 2]
        assert not written(forth) & written(update)
        for launch in (forth, update):
            assert {a for a in launch.arguments if isinstance(a, str)} <= known
            assert launch.arguments[-1] == k


def written(launch):
    """The buffers that a kernel may write, by the types of its parameters."""
    (parameters,) = re.findall(rf"{launch.kernel}\((.*?)\) \{{", STEP, re.DOTALL)
    pairs = zip(launch.arguments, parameters.split(","), strict=True)
    return {name for name, kind in pairs if "*" in kind and "const" not in kind}


def test_every_buffer_is_written_by_a_kernel_or_by_the_host():
    made = plan(LENET, layout(LENET), 8, 100, 4)
    by_kernels = set().union(*(written(launch) for launch in made.launches))
    assert by_kernels == {"stash", "partials", "losses", "hits", "theta", "velocity", "totals", "control"}
    assert made.buffers.keys() - by_kernels == {"examples", "offsets", "rates"}


def test_update_has_a_lane_for_each_job_and_one_block_more_for_the_sums():
    made = plan(LENET, layout(LENET), 256, 1000, 4)
    jobs = sum(update_jobs(LENET, piece) for piece in LENET.table)
    assert jobs == (150 + 6) + (2400 + 16) + (400 * 30 + 120) + (120 * 21 + 84) + (84 * 3 + 10)
    assert (made.launches[1].grid - 1) * UPDATE_JOBS >= jobs > (made.launches[1].grid - 2) * UPDATE_JOBS


def test_two_examples_of_lenet_share_a_block_and_its_filters():
    place = layout(LENET)
    assert place.examples == 2
    assert place.filters == {0: 0, 3: 150}
    assert plan(LENET, layout(LENET), 255, 1000, 4).launches[0].grid == 128


def test_examples_leave_dense_inputs_and_gradients_and_blocks_their_filters_gradients():
    place, made = layout(LENET), plan(LENET, layout(LENET), 256, 1000, 4)
    assert place.stash_floats == (400 + 120) + (120 + 84) + (84 + 12)
    assert place.partial_floats == (150 + 6) + (2400 + 16)
    assert made.buffers["stash"].bytes == 256 * 4 * place.stash_floats
    assert made.buffers["partials"].bytes == 128 * 4 * place.partial_floats


def test_gradients_are_read_four_at_a_time_from_where_that_may_be_done():
    for network in PLANNED:
        place = layout(network)
        assert place.stash_floats % TILE == 0
        assert all(start % TILE == 0 for pair in place.stash.values() for start in pair)


def test_round_tables_reach_past_the_last_step_to_the_end_of_a_graph():
    made = plan(LENET, layout(LENET), 8, 100, CHUNK + 1)
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
        check(zoo.network("alexnet", (1, 224, 224), 10), StepConfig())
