"""What averaging makes of batch norm: every shard normalises by its own examples."""

from typing import Any

import numpy as np
import pytest

import ops
from ops.engines.array import ArrayEngine
from ops.engines.base import AveragingRule, Replica, RoundSteps, Steps
from ops.testing.cases import pictures

SHARDS, EACH, RATE = 3, 8, 0.5
CONVOLUTION = ops.Conv2D(4, 3, bias=False)
HEAD = (ops.ReLU(), ops.AvgPool2D(2), ops.Flatten(), ops.Dense(4))
NETWORK = ops.Network("batch norm", (1, 6, 6), (CONVOLUTION, ops.BatchNorm2D(), *HEAD))
GROUPED = ops.Network("group norm", (1, 6, 6), (CONVOLUTION, ops.GroupNorm(2), *HEAD))
CONFIG = ops.StepConfig(momentum=0.9, weight_decay=0.01)
PLAIN = AveragingRule()


def shard(*sizes: int, first: int = 0) -> Steps:
    offsets = np.cumsum([0, *sizes]).astype(np.int32)
    return Steps(np.arange(first, first + offsets[-1], dtype=np.int32), offsets, np.full(len(sizes), RATE, np.float32))


def round_of(network: ops.Network, shards: list[Steps], rule: AveragingRule = PLAIN) -> Any:
    """`(start, result)` of one round from fresh parameters, of images that differ from shard to shard."""
    images, labels = pictures(network)
    images[EACH : 2 * EACH] //= 4
    engine, start = ArrayEngine(network, CONFIG), network.init_parameters(1)
    zeros = np.zeros(network.num_parameters, np.float32)
    data = engine.load(images, labels)
    (result,) = engine.run_rounds(Replica(start, zeros), zeros, data, [RoundSteps(shards, rule)])
    return start, result


def averaged_each_step(network: ops.Network) -> np.ndarray:
    return round_of(network, [shard(EACH, first=EACH * index) for index in range(SHARDS)])[1].theta


def whole_batch(network: ops.Network) -> np.ndarray:
    return round_of(network, [shard(SHARDS * EACH)])[1].theta


def test_averaging_after_every_step_is_one_large_batch_where_examples_do_not_meet():
    np.testing.assert_allclose(averaged_each_step(GROUPED), whole_batch(GROUPED), rtol=0, atol=1e-6)


def test_with_batch_norm_it_is_not():
    trained = NETWORK.num_parameters
    assert np.abs(averaged_each_step(NETWORK) - whole_batch(NETWORK))[:trained].max() > 1e-2


@pytest.mark.peers
def test_with_batch_norm_it_is_one_large_batch_normalised_in_ghost_batches():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from service.bench.torch_module import module

    class GhostBatchNorm(torch.nn.Module):
        """Hoffer, Hubara and Soudry (2017), algorithm 1, without its running statistics."""

        def __init__(self, inner: Any) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, x: Any) -> Any:
            return torch.cat([self.inner(part) for part in x.split(EACH)])

    images, labels = pictures(NETWORK)
    images[EACH : 2 * EACH] //= 4
    model = module(NETWORK)
    start = NETWORK.init_parameters(1)
    model.load_state_dict({name: torch.tensor(view) for name, view in NETWORK.named_parameters(start)})
    model.batchnorm2d1 = GhostBatchNorm(model.batchnorm2d1)
    optimizer = torch.optim.SGD(model.parameters(), lr=RATE, momentum=0.9, weight_decay=0.01)
    batch = slice(0, SHARDS * EACH)
    logits = model(torch.tensor(images[batch] / np.float32(255)))
    torch.nn.functional.cross_entropy(logits, torch.tensor(labels[batch].astype(int))).backward()
    optimizer.step()
    theirs = np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])
    np.testing.assert_allclose(averaged_each_step(NETWORK)[: NETWORK.num_parameters], theirs, rtol=0, atol=1e-6)


def running(theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    named = dict(NETWORK.named_parameters(theta))
    return named["batchnorm2d1.running_mean"], named["batchnorm2d1.running_var"]


def test_the_running_mean_is_that_of_all_examples_and_the_variance_that_within_the_shards():
    sizes = (EACH, EACH, 4)  # a ragged shard counts by its examples
    shards = [shard(size, first=EACH * index) for index, size in enumerate(sizes)]
    start, result = round_of(NETWORK, shards)
    images = pictures(NETWORK)[0]
    images[EACH : 2 * EACH] //= 4
    weight = dict(NETWORK.named_parameters(start))["conv2d1.weight"]
    x = ops.conv2d(images / 255, weight.astype(np.float64))
    within = [x[steps.examples].var(axis=(0, 2, 3), ddof=1) for steps in shards]
    mean, variance = running(result.theta)
    np.testing.assert_allclose(mean, 0.1 * x[: sum(sizes)].mean(axis=(0, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(variance, 0.9 + 0.1 * np.average(within, axis=0, weights=sizes), rtol=1e-5)


@pytest.mark.parametrize("rule", [AveragingRule(0.5, 0.9), AveragingRule(2.0, 0.5, True)])
def test_the_outer_optimizer_leaves_buffers_at_their_average(rule):
    shards = [shard(EACH, EACH, first=0), shard(EACH, 4, first=2 * EACH)]
    plain, moved = (round_of(NETWORK, shards, each)[1] for each in (PLAIN, rule))
    trained = NETWORK.num_parameters
    np.testing.assert_array_equal(moved.theta[trained:], plain.theta[trained:])
    assert (moved.theta[:trained] != plain.theta[:trained]).any()
    assert moved.velocity.shape == moved.outer.shape == (trained,)


def test_buffers_are_neither_decayed_nor_given_momentum():
    engine, (images, labels) = ArrayEngine(NETWORK, ops.StepConfig(momentum=0.9, weight_decay=0.5)), pictures(NETWORK)
    start = Replica(NETWORK.init_parameters(1), np.zeros(NETWORK.num_parameters, np.float32))
    moved = engine.run(start, engine.load(images, labels), shard(EACH)).replica
    plain_engine = ArrayEngine(NETWORK, ops.StepConfig())
    plain = plain_engine.run(start, plain_engine.load(images, labels), shard(EACH)).replica
    for ours, expected in zip(running(moved.theta), running(plain.theta), strict=True):
        np.testing.assert_array_equal(ours, expected)


def test_how_far_replicas_travel_is_measured_by_their_parameters():
    start, result = round_of(NETWORK, [shard(EACH), shard(EACH, first=EACH)])
    trained = NETWORK.num_parameters
    moved = (result.theta.astype(np.float64) - start)[:trained]
    np.testing.assert_allclose(result.travelled, moved @ moved, rtol=1e-6)
    length = result.theta[:trained].astype(np.float64)
    np.testing.assert_allclose(result.length, length @ length, rtol=1e-6)
