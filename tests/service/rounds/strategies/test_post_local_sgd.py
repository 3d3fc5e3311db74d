import numpy as np

from service.config import AveragingConfig
from service.rounds.strategies import Interval, Progress, strategy_for
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.post_local_sgd import PostLocalSGD
from service.rounds.strategies.slowmo import SlowMo
from tests.service.rounds.strategies.states import drawn


def test_one_task_takes_the_first_steps_alone_and_then_the_shards_part():
    strategy = PostLocalSGD(0.25, 10, FedAvg(4))
    rounds, step = [], 0
    while step < 100:
        rounds.append(strategy.interval(Progress(step, 100)))
        step += rounds[-1].steps
    assert rounds == [Interval(10, True), Interval(10, True), Interval(5, True), *[Interval(4, False)] * 19]


def test_the_strategy_that_follows_sees_a_run_of_its_own():
    strategy = PostLocalSGD(0.5, 10, GrowingInterval(1, FedAvg(16)))
    steps = [strategy.interval(Progress(step, 80)) for step in (40, 50, 60, 70)]
    assert steps == [(1, False), (2, False), (4, False), (8, False)]


def test_what_is_measured_comes_through_to_the_strategy_that_follows():
    seen: list[Progress] = []

    class Seeing(FedAvg):
        def interval(self, progress: Progress) -> Interval:
            seen.append(progress)
            return Interval(3)

    PostLocalSGD(0.5, 10, Seeing(3)).interval(Progress(60, 80, 2e-6, 9, 0.5, 40))
    assert seen == [(20, 40, 2e-6, 9, 0.5, 0)]


def solo_steps(strategy: PostLocalSGD, examples: int, steps: int = 100) -> int:
    """How many steps of a run one task takes alone."""
    return sum(strategy.interval(Progress(step, steps, None, examples)).solo for step in range(steps))


def test_on_a_small_data_set_the_start_has_a_number_of_steps_at_least():
    strategy = PostLocalSGD(0.25, 10, FedAvg(4), least=60)
    assert solo_steps(strategy, 29_999) == 60
    assert solo_steps(strategy, 1) == 60
    assert solo_steps(strategy, 30_000) == 25
    assert solo_steps(strategy, 0) == 25, "how many examples there are is not known"
    assert solo_steps(strategy, 29_999, steps=40) == 40, "all of a run that is shorter"
    assert solo_steps(strategy, 29_999, steps=400) == 100, "a longer start is left as it is"
    assert solo_steps(PostLocalSGD(0.0, 10, FedAvg(4), least=60), 29_999) == 0, "no start was wanted"


def test_a_start_that_ends_by_the_loss_lasts_until_it_is_below_and_no_longer_than_the_share():
    strategy = PostLocalSGD(0.5, 59, FedAvg(40), loss=1.5)
    alone = Interval(16, solo=True)
    assert strategy.interval(Progress(0, 400)) == alone, "nothing was measured yet"
    assert strategy.interval(Progress(64, 400, loss=1.5, solo_steps=64)) == alone
    assert strategy.interval(Progress(64, 400, loss=float("nan"), solo_steps=64)) == alone
    assert strategy.interval(Progress(64, 400, loss=1.4999, solo_steps=64)) == Interval(40)
    assert strategy.interval(Progress(190, 400, loss=2.3, solo_steps=190)) == Interval(10, solo=True)
    assert strategy.interval(Progress(200, 400, loss=2.3, solo_steps=200)) == Interval(40)


def test_shards_that_are_apart_stay_apart_whatever_the_loss():
    strategy = PostLocalSGD(0.5, 59, FedAvg(40), loss=1.5)
    assert strategy.interval(Progress(104, 400, loss=2.3, solo_steps=64)) == Interval(40)
    assert strategy.interval(Progress(104, 400, loss=None, solo_steps=0)) == Interval(40), "an extended run has none"


def test_rounds_of_a_start_that_ends_by_the_loss_are_no_longer_than_those_of_any_start():
    assert PostLocalSGD(0.5, 9, FedAvg(40), loss=1.5).interval(Progress(0, 400)) == Interval(9, solo=True)


def test_the_strategy_that_follows_a_start_that_ended_by_the_loss_sees_a_run_of_its_own():
    strategy = PostLocalSGD(0.5, 10, GrowingInterval(1, FedAvg(16)), loss=1.5)
    steps = [strategy.interval(Progress(step, 80, loss=1.0, solo_steps=16)) for step in (16, 32, 48, 64)]
    assert steps == [(1, False), (2, False), (4, False), (8, False)]


def test_a_small_data_set_has_a_longer_start_at_most_where_it_ends_by_the_loss():
    strategy = PostLocalSGD(0.25, 16, FedAvg(4), least=60, loss=1.5)
    assert strategy.interval(Progress(48, 100, None, 29_999, 2.3, 48)) == Interval(12, solo=True)
    assert strategy.interval(Progress(48, 100, None, 29_999, 1.4, 48)) == Interval(4)
    assert strategy.interval(Progress(48, 100, None, 30_000, 2.3, 48)) == Interval(4)


def test_averages_are_the_other_strategys():
    start, average = drawn()
    inner = SlowMo(7, lr=0.7, momentum=0.5)
    state, other = PostLocalSGD(0.2, 7, inner).update(start, average), inner.update(start, average)
    np.testing.assert_array_equal(state.replica.theta, other.replica.theta)
    np.testing.assert_array_equal(state.outer, other.outer)


def test_the_options_decide_how_long_the_start_is():
    options = AveragingConfig(strategy="post-local-sgd", average_every=9, solo_share=0.25)
    assert strategy_for(options) == PostLocalSGD(0.25, 9, FedAvg(9), 1000, 0.0)
    by_loss = options.model_copy(update={"solo_loss": 1.5})
    assert strategy_for(by_loss) == PostLocalSGD(0.25, 9, FedAvg(9), 1000, 1.5)
