"""The contract of engines, as tests that any engine can be put through. Needs pytest."""

from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest

from ops.averaging import average
from ops.engines.base import AveragingRule, Engine, Replica, RoundSteps, StepResult, Steps
from ops.errors import DtypeError, LabelError, OpsError, ShapeError
from ops.network import Network
from ops.step_config import StepConfig
from ops.testing.cases import EXAMPLES, NETWORKS, STEP_CONFIGS, pictures, replica, step_config_of, steps
from ops.testing.comparison import assert_close, assert_same_bits
from ops.testing.float64 import predict_in_float64, run_in_float64
from ops.testing.reference import predict_by_loops, run_by_loops

SIZES = (32, 16, 5, 0, 1, 40, 17, 90, *(20,) * 13)
"""21 steps: full and ragged batches, and one step with no examples."""

LOOPED = ("no biases", "softmax regression", "plain", "max pools", "batch norm", "group norm", "nested blocks")
"""Networks small enough for loops in Python."""


class EngineContract:
    """What every engine promises. Derive a class whose name begins with Test, and say how the engine is built:

        class TestMyEngine(EngineContract):
            @classmethod
            def build(cls, network, step_config):
                return MyEngine(network, step_config)

    Attributes:
        networks: What the engine is tried on: all of them, if it supports them.
        network: The network of the tests that need one only; it has dropout.
        sizes: How many examples the steps of the comparisons have.
        slow: The names of networks whose tests are marked `slow`.
    """

    networks: Mapping[str, Network] = NETWORKS
    network: Network = NETWORKS["dropout"]
    sizes: tuple[int, ...] = SIZES
    slow: frozenset[str] = frozenset()

    @classmethod
    def build(cls, network: Network, step_config: StepConfig) -> Engine:
        """A new engine."""
        raise NotImplementedError

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """The tests that have an argument `name` run for each network."""
        marks = {name: pytest.mark.slow if name in self.slow else () for name in self.networks}
        for argument, names in (("name", [*marks]), ("looped", LOOPED)):
            if argument in metafunc.fixturenames:
                tried = [pytest.param(name, marks=marks[name]) for name in names if name in marks]
                metafunc.parametrize(argument, tried)

    @pytest.fixture(scope="class")
    @classmethod
    def built(cls) -> Any:
        """Engines by network and step configuration, each built once."""
        return lru_cache(maxsize=None)(cls.build)

    @pytest.fixture
    def engine(self, built: Any) -> Engine:
        return built(self.network, STEP_CONFIGS[1])

    @pytest.fixture
    def data(self, engine: Engine) -> Any:
        return engine.load(*pictures(self.network))

    @pytest.fixture
    def start(self) -> Replica:
        return replica(self.network)

    # What comes out is right.

    def test_steps_end_where_the_operators_end_in_float64(self, built: Any, name: str) -> None:
        network = self.networks[name]
        step_config, (images, labels), start = step_config_of(network), pictures(network), replica(network)
        plan = steps(*self.sizes, rate=0.05)
        engine = built(network, step_config)
        result = engine.run(start, engine.load(images, labels), plan)
        assert_close(result, run_in_float64(network, step_config, start, images, labels, plan), step_config)
        assert result.examples == sum(self.sizes)

    def test_steps_end_where_loops_over_single_numbers_end(self, built: Any, looped: str) -> None:
        network = self.networks[looped]
        step_config = replace(STEP_CONFIGS[1], flip=False, shift=0)
        images, labels = pictures(network)
        start, plan, engine = replica(network), steps(4, 0, 3), built(network, step_config)
        result = engine.run(start, engine.load(images, labels), plan)
        assert_close(result, run_by_loops(network, step_config, start, images, labels, plan), step_config)
        expected = predict_by_loops(network, start.theta.astype(np.float64), images[:3])
        np.testing.assert_allclose(engine.predict(start.theta, images[:3]), expected, rtol=0, atol=1e-5)

    def test_predictions_are_those_of_the_operators(self, built: Any, name: str) -> None:
        network, images = self.networks[name], pictures(self.networks[name])[0]
        theta = replica(network).theta
        ours = built(network, step_config_of(network)).predict(theta, images)
        # logits are sums of a few hundred products around 1, each rounded to 6e-8
        np.testing.assert_allclose(ours, predict_in_float64(network, theta, images), rtol=0, atol=1e-5)

    @pytest.mark.parametrize("step_config", STEP_CONFIGS, ids=str)
    def test_every_step_configuration_is_followed(self, built: Any, step_config: StepConfig) -> None:
        images, labels = pictures(self.network)
        start, plan, engine = replica(self.network), steps(6, 7), built(self.network, step_config)
        result = engine.run(start, engine.load(images, labels), plan)
        assert_close(result, run_in_float64(self.network, step_config, start, images, labels, plan), step_config)

    def test_class_weights_are_those_of_loops_and_of_operators(self, built: Any, looped: str) -> None:
        network = self.networks[looped]
        images, labels = pictures(network)
        weights = tuple(np.linspace(0.25, 3, network.classes).tolist())
        for smoothing in (0.0, 0.1):
            step_config = StepConfig(momentum=0.9, label_smoothing=smoothing, class_weights=weights)
            start, plan, engine = replica(network), steps(4, 0, 3), built(network, step_config)
            result = engine.run(start, engine.load(images, labels), plan)
            for expected in (run_by_loops, run_in_float64):
                assert_close(result, expected(network, step_config, start, images, labels, plan), step_config)

    def test_weights_for_another_number_of_classes_are_refused(self) -> None:
        with pytest.raises(ShapeError, match=r"^class_weights must have \d+ numbers, one for each class, got 1$"):
            self.build(self.network, StepConfig(class_weights=(1.0,)))

    # The same arguments give the same bits.

    def test_the_same_arguments_give_the_same_bits(self, engine: Engine, data: Any, start: Replica) -> None:
        plan = steps(17, 5, 7)
        first = engine.run(start, data, plan)
        engine.run(replica(self.network, seed=9), data, steps(11, seed=4))  # leaves other numbers behind
        assert_same_bits(engine.run(start, data, plan), first)
        fresh = self.build(self.network, STEP_CONFIGS[1])
        assert_same_bits(fresh.run(start, fresh.load(*pictures(self.network)), plan), first)

    def test_a_run_in_two_parts_ends_with_the_same_bits(self, engine: Engine, data: Any, start: Replica) -> None:
        plan = steps(18, 4, 6)
        whole = engine.run(start, data, plan)
        first = Steps(plan.examples[:18], plan.offsets[:2], plan.rates[:1], plan.seed, plan.epoch)
        rest = Steps(plan.examples[18:], plan.offsets[1:] - 18, plan.rates[1:], plan.seed, plan.epoch)
        half = engine.run(start, data, first)
        parts = engine.run(half.replica, data, rest)
        np.testing.assert_array_equal(parts.replica.theta, whole.replica.theta)
        np.testing.assert_array_equal(parts.replica.velocity, whole.replica.velocity)
        assert half.correct + parts.correct == whole.correct

    def test_the_replica_is_left_untouched(self, engine: Engine, data: Any, start: Replica) -> None:
        theta, velocity = start.theta.copy(), start.velocity.copy()
        engine.run(start, data, steps(9, 9))
        np.testing.assert_array_equal(start.theta, theta)
        np.testing.assert_array_equal(start.velocity, velocity)

    @pytest.mark.parametrize("changed", [{"seed": 5}, {"seed": 2**41 + 5}, {"epoch": 4}])
    def test_seed_and_epoch_change_the_draws(
        self, engine: Engine, data: Any, start: Replica, changed: dict[str, int]
    ) -> None:
        other = Steps(**{**vars(steps(20)), **changed})
        assert engine.run(start, data, steps(20)).loss != engine.run(start, data, other).loss

    # Steps without examples, and numbers that are none.

    def test_steps_without_examples_are_skipped(self, engine: Engine, data: Any, start: Replica) -> None:
        plan = steps(8, 6)
        offsets, rates = np.array([0, 0, 8, 8, 14, 14], np.int32), np.array([9, 0, 9, 0, 9], np.float32)
        rates[[1, 3]] = plan.rates
        gaps = Steps(plan.examples, offsets, rates, plan.seed, plan.epoch)
        assert_same_bits(engine.run(start, data, gaps), engine.run(start, data, plan))

    @pytest.mark.parametrize("sizes", [(), (0, 0)])
    def test_no_examples_change_nothing(self, engine: Engine, data: Any, start: Replica, sizes: Any) -> None:
        result = engine.run(start, data, steps(*sizes))
        assert_same_bits(result, StepResult(start, 0, 0.0, 0))

    def test_a_network_that_has_diverged_says_so(self, engine: Engine, data: Any, start: Replica) -> None:
        theta = start.theta.copy()
        theta[0] = np.nan
        result = engine.run(Replica(theta, start.velocity), data, steps(5))
        assert np.isnan(result.loss)
        assert np.isnan(result.replica.theta).any()

    # Several shards, and rounds.

    def test_shards_end_where_each_ends_by_itself(self, engine: Engine, data: Any) -> None:
        plans, starts = [steps(5, 3), steps(2), steps(), steps(4, 0, 1)], [replica(self.network, n) for n in range(4)]
        together = engine.run_shards(starts, data, plans)
        for result, start, plan in zip(together, starts, plans, strict=True):
            assert_same_bits(result, engine.run(start, data, plan))

    @pytest.mark.parametrize("rule", [AveragingRule(), AveragingRule(0.7, 0.4, True)], ids=str)
    def test_rounds_are_steps_and_then_an_average(
        self, engine: Engine, data: Any, start: Replica, rule: AveragingRule
    ) -> None:
        rounds = [RoundSteps((steps(5), steps(4, 3), steps(0)), rule), RoundSteps((steps(6, 2),), rule)]
        outer = np.ones_like(start.theta)
        results = list(engine.run_rounds(start, outer, data, iter(rounds)))
        for result, round_ in zip(results, rounds, strict=True):
            shards = [engine.run(start, data, plan) for plan in round_.shards]
            examples = tuple(shard.examples for shard in shards)
            after = average([shard.replica for shard in shards], examples, start.theta, outer, rule)
            np.testing.assert_array_equal(result.theta, after.replica.theta)
            assert (result.examples, result.losses) == (examples, tuple(shard.loss for shard in shards))
            assert result.correct == tuple(shard.correct for shard in shards)
            start, outer = after.replica, after.outer
        np.testing.assert_array_equal(results[-1].velocity, start.velocity)
        np.testing.assert_array_equal(results[-1].outer, outer)

    def test_shards_that_do_not_fit_are_refused(self, engine: Engine, data: Any, start: Replica) -> None:
        with pytest.raises(ShapeError, match="got 1 and 2"):
            engine.run_shards([start], data, [steps(1), steps(1)])
        with pytest.raises(OpsError, match="a round must have examples"):
            list(engine.run_rounds(start, start.velocity, data, [RoundSteps((steps(0), steps()))]))
        assert list(engine.run_rounds(start, start.velocity, data, [])) == []

    # Predictions.

    @pytest.mark.parametrize("count", [0, 1, 2, 15, 16, 17, EXAMPLES])
    def test_any_number_of_images_can_be_predicted(self, engine: Engine, start: Replica, count: int) -> None:
        images, _ = pictures(self.network)
        logits = engine.predict(start.theta, images[:count])
        assert logits.shape == (count, self.network.classes)
        assert logits.dtype == np.float32
        # batches of another size may sum in another order
        np.testing.assert_allclose(logits, engine.predict(start.theta, images)[:count], rtol=0, atol=1e-5)

    def test_images_may_lack_the_axis_of_a_single_channel(self, engine: Engine, start: Replica) -> None:
        images, theta = pictures(self.network)[0], start.theta
        assert self.network.input_shape[0] == 1
        np.testing.assert_array_equal(engine.predict(theta, images[:, 0]), engine.predict(theta, images[:, ::1]))

    def test_images_need_not_be_contiguous(self, engine: Engine, start: Replica) -> None:
        images, labels = pictures(self.network)
        every_third = engine.predict(start.theta, images[::3])
        np.testing.assert_array_equal(every_third, engine.predict(start.theta, images[::3].copy()))
        plan = Steps(np.arange(9, dtype=np.int32), np.array([0, 9], np.int32), np.ones(1, np.float32))
        strided, copied = (
            engine.run(start, engine.load(*arrays), plan)
            for arrays in ((images[::3], labels[::3]), (images[::3].copy(), labels[::3].copy()))
        )
        assert_same_bits(strided, copied)

    # What can't be is refused.

    def test_examples_that_do_not_fit_are_refused(self, engine: Engine) -> None:
        images, labels = pictures(self.network)
        shape = ", ".join(map(str, self.network.input_shape))
        with pytest.raises(ShapeError, match=rf"images must have shape \(n, {shape}\)"):
            engine.load(images[..., 1:], labels)
        with pytest.raises(ShapeError, match=rf"labels must have shape \({EXAMPLES},\)"):
            engine.load(images, labels[1:])
        with pytest.raises(DtypeError, match="labels must be uint8, got int64"):
            engine.load(images, labels.astype(np.int64))
        with pytest.raises(DtypeError, match="images must be uint8, got float64"):
            engine.load(images / 255, labels)  # type: ignore[arg-type]  # that is the point
        with pytest.raises(LabelError, match=rf"labels must be in \[0, {self.network.classes}\)"):
            engine.load(images, np.full(EXAMPLES, self.network.classes, np.uint8))

    def test_images_that_do_not_fit_are_not_predicted(self, engine: Engine, start: Replica) -> None:
        images, _ = pictures(self.network)
        with pytest.raises(ShapeError, match="images must have shape"):
            engine.predict(start.theta, images[..., 1:])
        with pytest.raises(DtypeError, match="images must be uint8, got float64"):
            engine.predict(start.theta, images / 255)  # type: ignore[arg-type]  # that is the point

    def test_parameters_of_another_network_are_refused(self, engine: Engine, data: Any, start: Replica) -> None:
        short, message = start.theta[1:], rf"got (shape )?\({len(start.theta) - 1},\)"
        with pytest.raises(ShapeError, match=message):
            engine.predict(short, pictures(self.network)[0])
        for wrong in (Replica(short, start.velocity), Replica(start.theta, start.velocity[1:])):
            with pytest.raises(ShapeError, match=message):
                engine.run(wrong, data, steps(1))

    @pytest.mark.parametrize("numbers", [(0, EXAMPLES), (-1, 3)])
    def test_examples_that_are_not_in_the_data_are_refused(
        self, engine: Engine, data: Any, start: Replica, numbers: tuple[int, int]
    ) -> None:
        plan = Steps(np.array(numbers, np.int32), np.array([0, 2], np.int32), np.ones(1, np.float32))
        with pytest.raises(ShapeError, match=rf"examples must be in \[0, {EXAMPLES}\)"):
            engine.run(start, data, plan)

    # What it says of itself.

    def test_it_supports_what_it_is_tried_on(self, engine: Engine) -> None:
        for network in self.networks.values():
            for device in engine.devices:
                assert engine.supports(network, STEP_CONFIGS[0], device) == ""

    def test_it_says_what_the_table_needs(self, engine: Engine) -> None:
        assert engine.name
        assert set(engine.devices) <= {"cpu", "cuda"}
        assert isinstance(engine.releases_gil, bool)
        assert engine.speed_rank >= 0
        assert all(isinstance(engine.slowdown(device), str) for device in engine.devices)
        device = engine.devices[-1]
        assert engine.fingerprint(device) == engine.fingerprint(device)
        assert engine.fingerprint(device).engine == engine.name
