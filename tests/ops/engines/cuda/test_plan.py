"""The launch plan keeps to a GPU's limits, and every buffer holds what the kernels put there."""

import re
from pathlib import Path

import pytest

from ops import zoo
from ops.engines import cuda
from ops.engines.cuda import check
from ops.engines.cuda.layout import (
    MOST_SHARED,
    MOST_SHARED_TENSOR,
    QUAD,
    UPDATE_JOBS,
    layout,
    update_jobs,
    weight_tiles,
)
from ops.engines.cuda.pairwise import leaves
from ops.engines.cuda.plan import ALIGNED, AVERAGE_THREADS, placed, plan, predict_launch, replays
from ops.engines.cuda.tiles import THREADS
from ops.errors import Unsupported
from ops.step_config import StepConfig
from ops.testing.cases import NETWORKS

KERNELS = "".join((Path(cuda.__file__).parent / name).read_text() for name in ("step.cu", "averaging.cu"))
LENET = zoo.network("lenet", (1, 28, 28), 10)
PLANNED = [LENET, *(network for name, network in NETWORKS.items() if name != "resized")]


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_launches_keep_to_the_limits_of_every_gpu(network):
    made = plan(network, layout(network), 3, 256, 4)
    for launch in (*launches(made), predict_launch(layout(network), 256)):
        assert 0 < launch.block <= 1024
        assert 0 < launch.grid < 2**31
        assert launch.shared <= MOST_SHARED
    assert THREADS % 32 == 0


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_no_two_kernels_of_a_step_write_one_buffer_and_all_arguments_are_known(network):
    made = plan(network, layout(network), 2, 16, 4)
    known = {*made.buffers, *made.tables, *made.results, "images", "labels"}
    for chunk, steps in made.graphs.items():
        for k in range(chunk):
            forth, update = steps[2 * k + 1 : 2 * k + 3]
            assert not written(forth) & written(update)
            assert forth.arguments[-1] == update.arguments[-1] == k
    for launch in launches(made):
        assert {a for a in launch.arguments if isinstance(a, str)} <= known


def launches(made):
    return [launch for graph in (*made.graphs.values(), made.average) for launch in graph]


def written(launch):
    """The buffers that a kernel may write, by the types of its parameters."""
    (parameters,) = re.findall(rf"{launch.kernel}\((.*?)\) \{{", KERNELS, re.DOTALL)
    pairs = zip(launch.arguments, parameters.split(","), strict=True)
    return {name for name, kind in pairs if "*" in kind and "const" not in kind}


def test_every_buffer_is_written_by_a_kernel_or_by_the_host():
    made = plan(LENET, layout(LENET), 2, 8, 4)
    by_kernels = set().union(*(written(launch) for launch in launches(made)))
    assert by_kernels & made.tables.keys() == {"cursor"}
    assert by_kernels >= made.results.keys()
    assert made.buffers.keys() - by_kernels == {"leaves", "levels", "pairs"}
    assert made.tables.keys() == {"rule", "cursor", "draws", "offsets", "rates", "examples"}


def test_update_has_a_block_for_each_tile_a_lane_for_each_sum_and_one_block_more():
    made = plan(LENET, layout(LENET), 3, 256, 4)
    jobs = sum(update_jobs(LENET, piece) for piece in LENET.table)
    tiles = sum(weight_tiles(LENET, piece) for piece in LENET.table)
    assert jobs == (150 + 6) + (2400 + 16) + 120 + 84 + 10
    assert tiles == 8 * 13 + 6 * 4 + 1 * 3
    updates = made.graphs[1][2].grid // 3 - tiles
    assert (updates - 1) * UPDATE_JOBS >= jobs > (updates - 2) * UPDATE_JOBS


def test_four_shards_of_64_take_as_many_blocks_as_one_of_256():
    whole, shards = (plan(LENET, layout(LENET), *sizes, 4).graphs[1][1] for sizes in ((1, 256), (4, 64)))
    assert whole.grid == shards.grid == 128


def test_the_average_has_eight_threads_for_each_leaf_of_numpys_sums():
    distances, average, lengths, add = (launch.grid for launch in plan(LENET, layout(LENET), 4, 64, 4).average)
    threads = 8 * (len(leaves(LENET.num_parameters)) - 1)
    assert distances / 4 * AVERAGE_THREADS >= threads > (distances / 4 - 1) * AVERAGE_THREADS
    assert lengths == distances / 2
    assert average * AVERAGE_THREADS >= LENET.num_parameters > (average - 1) * AVERAGE_THREADS
    assert add == 4 + 2


@pytest.mark.parametrize("steps", [0, 1, 31, 32, 33, 118, 235])
def test_replays_make_up_the_steps_of_a_round(steps):
    assert sum(replays(steps)) == steps
    assert len(replays(steps)) <= steps // 32 + 5


def test_arrays_in_one_piece_follow_each_other_where_their_numbers_may_begin():
    tables = plan(LENET, layout(LENET), 3, 7, 5).tables
    starts, size = placed(tables)
    ends = [start + tables[name].bytes for name, start in starts.items()]
    assert all(start % ALIGNED == 0 for start in starts.values())
    assert all(end <= start for end, start in zip(ends, [*list(starts.values())[1:], size], strict=True))
    assert list(starts)[-1] == "examples"  # of which no more is sent than there is


def test_two_examples_of_lenet_share_a_block_and_its_filters():
    place = layout(LENET)
    assert place.examples == 2
    assert place.filters == {0: 0, 3: 150}
    assert plan(LENET, layout(LENET), 1, 255, 4).graphs[1][1].grid == 128


def test_tensor_cores_take_lenets_convolutions_where_there_is_shared_memory_for_it():
    place = layout(LENET, MOST_SHARED_TENSOR, tensor_cores=True)
    assert list(place.products) == [0, 3]
    assert (place.examples, place.halo) == (2, (2, 2))
    assert MOST_SHARED < place.bytes <= MOST_SHARED_TENSOR
    assert not layout(LENET, MOST_SHARED, tensor_cores=True).products


def test_examples_leave_dense_inputs_and_gradients_and_blocks_their_filters_gradients():
    place, made = layout(LENET), plan(LENET, layout(LENET), 1, 256, 4)
    assert place.stash_floats == (400 + 120) + (120 + 84) + (84 + 12)
    assert place.partial_floats == (150 + 6) + (2400 + 16)
    assert made.buffers["stash"].bytes == 256 * 4 * place.stash_floats
    assert made.buffers["partials"].bytes == 128 * 4 * place.partial_floats


def test_gradients_are_read_four_at_a_time_from_where_that_may_be_done():
    for network in PLANNED:
        place = layout(network)
        assert place.stash_floats % QUAD == 0
        assert all(start % QUAD == 0 for pair in place.stash.values() for start in pair)


@pytest.mark.parametrize("network", PLANNED, ids=lambda network: network.name)
def test_numbers_that_live_together_do_not_overlap(network):
    place = layout(network)
    first, second = place.gradients
    assert max(place.outputs) < first < second < place.floats
    assert list(place.outputs) == sorted(place.outputs)


def test_alexnet_is_refused_with_numbers():
    with pytest.raises(Unsupported, match=r"at most 2,000,000 parameters, 'alexnet' has [\d,]+"):
        check(zoo.network("alexnet", (1, 224, 224), 10), StepConfig())
