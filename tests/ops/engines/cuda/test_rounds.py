"""Several shards in one launch, several rounds in one call, on the CPU: the bits of single ones averaged by NumPy."""

from shutil import which

import numpy as np
import pytest

from ops.engines.base import AveragingRule, Replica, RoundResult, RoundSteps
from ops.engines.cuda import CudaEngine
from ops.engines.cuda.plan import MOST_SHARDS
from ops.engines.cuda.rounds import AHEAD
from ops.engines.spans import rounds_on_host
from ops.errors import OpsError, Unsupported
from ops.testing.cases import NETWORKS, STEP_CONFIGS, pictures, replica, steps
from tests.ops.engines.cuda.host import HostDevice

pytestmark = pytest.mark.skipif(which("g++") is None, reason="running CUDA sources on the CPU takes g++")

RULES = (AveragingRule(), AveragingRule(0.7, 0.4), AveragingRule(1.0, 0.9, reset_velocity=True))
FIELDS = ("theta", "velocity", "outer", "examples", "losses", "correct", "distances", "length", "travelled")


def engine_of(name, step_config, order=0):
    network = NETWORKS[name]
    engine = CudaEngine(network, STEP_CONFIGS[step_config], HostDevice(order))
    return engine, engine.load(*pictures(network)), replica(network)


def assert_same_bits(ours, theirs):
    if isinstance(ours, RoundResult):
        for field in FIELDS:
            assert_same_bits(getattr(ours, field), getattr(theirs, field))
    elif isinstance(ours, np.ndarray):
        np.testing.assert_array_equal(ours.view(np.uint32), theirs.view(np.uint32))
    else:
        assert ours == theirs


@pytest.mark.parametrize("order", [0, 11])
@pytest.mark.parametrize("name", ["plain", "dropout", "dense", "grouped"])
def test_each_shard_of_a_launch_ends_where_it_would_alone(name, order):
    engine, data, _ = engine_of(name, 1, order)
    plans = [steps(5, 3), steps(2), steps(), steps(4, 0, 1)]
    starts = [replica(NETWORKS[name], seed) for seed in range(4)]
    for together, start, plan in zip(engine.run_shards(starts, data, plans), starts, plans, strict=True):
        alone = engine.run(start, data, plan)
        assert_same_bits(together.replica.theta, alone.replica.theta)
        assert_same_bits(together.replica.velocity, alone.replica.velocity)
        assert (together.examples, together.loss, together.correct) == (alone.examples, alone.loss, alone.correct)


@pytest.mark.parametrize("order", [0, 11])
@pytest.mark.parametrize("rule", RULES, ids=str)
def test_rounds_in_one_call_are_rounds_averaged_by_numpy(rule, order):
    engine, data, start = engine_of("plain", 1, order)
    several = RoundSteps((steps(5), steps(4, 3), steps(0)), rule)
    rounds = [RoundSteps((steps(5),)), *[several] * (AHEAD + 2), RoundSteps((steps(3), steps(1), steps(3, 3))), several]
    outer = start.theta / 3
    ours = list(engine.run_rounds(start, outer, data, iter(rounds)))
    for mine, theirs in zip(ours, rounds_on_host(engine, start, outer, data, rounds), strict=True):
        assert_same_bits(mine, theirs)
    assert ours[-1].velocity is not None


@pytest.mark.parametrize("shards", range(1, 17))
def test_the_average_has_numpys_bits_for_any_number_of_shards(shards):
    engine, data, start = engine_of("softmax regression", 2, shards if shards % 3 else 0)  # 0: threads in order
    sizes = np.random.default_rng(shards).integers(0, 4, shards)
    sizes[shards // 2] = 3
    rounds = [RoundSteps([steps(size, seed=shard) for shard, size in enumerate(sizes)], RULES[1])] * 2
    rounds += [RoundSteps(rounds[0].shards)]
    ours = engine.run_rounds(start, start.velocity, data, rounds)
    for mine, theirs in zip(ours, rounds_on_host(engine, start, start.velocity, data, rounds), strict=True):
        assert_same_bits(mine, theirs)


def test_numbers_that_float32_hardly_holds_are_averaged_as_they_are():
    engine, data, start = engine_of("softmax regression", 0)
    tiny = np.geomspace(1e-45, 1e-37, len(start.theta)).astype(np.float32)
    # steps without a rate change nothing, so that the average is all that happens
    rounds = [RoundSteps([steps(1, rate=0.0), steps(2, rate=0.0)], AveragingRule(0.3, 0.6))]
    (ours,) = engine.run_rounds(Replica(tiny, tiny), tiny, data, rounds)
    (theirs,) = rounds_on_host(engine, Replica(tiny, tiny), tiny, data, rounds)
    assert_same_bits(ours, theirs)


def test_a_round_may_follow_from_the_result_four_before_it():
    engine, data, start = engine_of("softmax regression", 0)
    seen = []

    def rounds():
        for number in range(9):
            assert len(seen) >= number - 4
            yield RoundSteps((steps(1 + number % 3),))

    for result in engine.run_rounds(start, start.velocity, data, rounds()):
        seen.append(result.examples)  # noqa: PERF401 -- rounds() looks at it meanwhile
    assert seen == [(1,), (2,), (3,)] * 3


def test_what_is_begun_and_left_does_not_disturb_the_next_call():
    engine, data, start = engine_of("plain", 2)
    rounds = [RoundSteps((steps(2), steps(3)))] * 8
    expected = list(engine.run_rounds(start, start.theta, data, rounds))
    begun = engine.run_rounds(start, start.theta, data, rounds)
    next(begun)
    assert_same_bits(list(engine.run_rounds(start, start.theta, data, rounds))[-1], expected[-1])
    begun.close()
    assert_same_bits(list(engine.run_rounds(start, start.theta, data, rounds))[-1], expected[-1])


def test_rounds_that_have_no_average_here_are_refused():
    engine, data, start = engine_of("softmax regression", 0)
    with pytest.raises(OpsError, match="a round must have examples"):
        list(engine.run_rounds(start, start.velocity, data, [RoundSteps((steps(0),))]))
    with pytest.raises(Unsupported, match=f"averages at most {MOST_SHARDS} shards, got {MOST_SHARDS + 1}"):
        list(engine.run_rounds(start, start.velocity, data, [RoundSteps([steps(1)] * (MOST_SHARDS + 1))]))
