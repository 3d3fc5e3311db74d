"""Other rules than SGD in engines: beside PyTorch, in rounds, and who declines them."""

import numpy as np
import pytest

import ops
from ops.engines import choose
from ops.engines.array import ArrayEngine
from ops.engines.base import AveragingRule, Replica, RoundSteps
from ops.errors import ShapeError, Unsupported
from ops.testing.cases import BLOCKS, NETWORKS, pictures, replica, steps
from ops.testing.comparison import assert_same_bits
from ops.testing.float64 import run_in_float64
from tests.ops.parity.models import as_torch, flat

ADAMW = ops.StepConfig(optimizer="adamw", weight_decay=0.05, clip_norm=0.5)
LION = ops.StepConfig(optimizer="lion", weight_decay=0.1, flip=True)
CLIPPED = ops.StepConfig(momentum=0.9, nesterov=True, clip_norm=0.2)


@pytest.mark.peers
@pytest.mark.parametrize("step_config", [ADAMW, CLIPPED], ids=["adamw", "sgd"])
def test_steps_lead_where_pytorchs_lead(step_config):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = BLOCKS["batch norm"]
    rate = 0.01 if step_config is ADAMW else 0.1
    (images, labels), plan = pictures(network), steps(16, 0, 7, 30, 12, rate=rate)
    start, engine = replica(network, step_config=ADAMW).theta, ArrayEngine(network, step_config)
    velocity = np.zeros(step_config.state_size(network.num_parameters), np.float32)
    result = engine.run(Replica(start, velocity), engine.load(images, labels), plan)
    model = as_torch(network, start)
    if step_config is ADAMW:
        optimizer = torch.optim.AdamW(model.parameters(), weight_decay=0.05)
    else:
        optimizer = torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True)
    for first, stop, rate in zip(plan.offsets, plan.offsets[1:], plan.rates, strict=False):
        batch = plan.examples[first:stop]
        if not len(batch):
            continue
        optimizer.param_groups[0]["lr"] = float(rate)
        optimizer.zero_grad()
        logits = model(torch.tensor(images[batch] / np.float32(255)))
        torch.nn.functional.cross_entropy(logits, torch.tensor(labels[batch].astype(int))).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), step_config.clip_norm)
        optimizer.step()
    # where a gradient is near zero, AdamW takes a step of up to the rate for its rounding's sake: a hundredth of it
    np.testing.assert_allclose(result.replica.theta, flat(network, model), rtol=0, atol=1e-4)
    assert np.abs(result.replica.theta - start)[: network.num_parameters].max() > 0.005


@pytest.mark.parametrize("step_config", [ADAMW, LION, CLIPPED], ids=["adamw", "lion", "sgd"])
def test_steps_end_where_they_end_in_float64_and_in_two_parts(step_config):
    network = BLOCKS["group norm"]
    (images, labels), plan, start = (
        pictures(network),
        steps(20, 20, 20, rate=0.003),
        replica(network, step_config=ADAMW),
    )
    start = Replica(start.theta, np.zeros(step_config.state_size(network.num_parameters), np.float32))
    engine = ArrayEngine(network, step_config)
    data = engine.load(images, labels)
    result = engine.run(start, data, plan)
    theta, velocity, _ = run_in_float64(network, step_config, start, images, labels, plan)
    # Lion turns a rounding of a mean near zero into a whole step of 0.003
    np.testing.assert_allclose(result.replica.theta, theta, rtol=0, atol=0.007 if step_config is LION else 1e-4)
    assert np.mean(np.abs(result.replica.theta - theta) > 1e-5) < 0.01
    np.testing.assert_allclose(result.replica.velocity, velocity, rtol=1e-3, atol=1e-5)
    half = engine.run(
        start, data, type(plan)(plan.examples[:20], plan.offsets[:2], plan.rates[:1], plan.seed, plan.epoch)
    )
    rest = type(plan)(plan.examples[20:], plan.offsets[1:] - 20, plan.rates[1:], plan.seed, plan.epoch)
    np.testing.assert_array_equal(engine.run(half.replica, data, rest).replica.theta, result.replica.theta)


def test_what_adamw_keeps_is_averaged_and_reset_like_a_velocity():
    network = NETWORKS["plain"]
    start = replica(network, step_config=ADAMW)
    engine, outer = ArrayEngine(network, ADAMW), np.zeros(network.num_parameters, np.float32)
    data, shards = engine.load(*pictures(network)), [steps(9, 9, rate=0.01), steps(5, rate=0.01)]
    parts = engine.run_shards([start] * 2, data, shards)
    (result,) = engine.run_rounds(start, outer, data, [RoundSteps(shards, AveragingRule(0.5, 0.9))])
    assert result.velocity is not None
    expected = np.average([part.replica.velocity for part in parts], axis=0, weights=[18, 5])
    np.testing.assert_allclose(result.velocity, expected, rtol=1e-6)
    assert result.velocity[-1] == np.float32((18 * 2 + 5) / 23)  # steps taken
    again = engine.run(Replica(result.theta, result.velocity), data, steps(8))
    assert np.isfinite(again.replica.theta).all()
    (reset,) = engine.run_rounds(start, outer, data, [RoundSteps(shards, AveragingRule(reset_velocity=True))])
    assert reset.velocity is not None
    assert not reset.velocity.any()


@pytest.mark.parametrize(
    ("step_config", "why"),
    [
        (ADAMW, "engine 'simd' takes steps of SGD, not of adamw"),
        (LION, "engine 'simd' takes steps of SGD, not of lion"),
        (CLIPPED, "engine 'simd' doesn't clip gradients"),
    ],
)
def test_engines_with_kernels_of_their_own_leave_them_to_the_array_engine(step_config, why):
    choice = choose(NETWORKS["plain"], step_config, device="cpu")
    assert (choice.engine, choice.device) == ("array", "cpu")
    assert why in choice.why
    with pytest.raises(Unsupported, match=why):
        choose(NETWORKS["plain"], step_config, engine="simd", device="cpu")


def test_a_velocity_of_another_rule_is_refused():
    network = NETWORKS["plain"]
    engine, start = ArrayEngine(network, ADAMW), replica(network)
    data = engine.load(*pictures(network))
    with pytest.raises(ShapeError, match=rf"velocity must have shape \({2 * network.num_parameters + 1},\)"):
        engine.run(start, data, steps(4))
    fresh = replica(network, step_config=ADAMW)
    assert_same_bits(engine.run(fresh, data, steps(4)), engine.run(fresh, data, steps(4)))
