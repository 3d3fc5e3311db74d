from service.config import AveragingConfig
from service.rounds.plan import Plan
from service.rounds.strategies import Progress, strategy_for
from service.rounds.strategies.adacomm import AdaComm
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.post_local_sgd import PostLocalSGD


def test_the_interval_moves_from_the_first_to_the_last_by_equal_factors():
    growing, shrinking = GrowingInterval(2, FedAvg(128)), GrowingInterval(64, FedAvg(4))
    assert [growing.interval(Progress(step, 6)).steps for step in (0, 1, 3, 5, 6)] == [2, 4, 16, 64, 128]
    assert [shrinking.interval(Progress(step, 2)).steps for step in (0, 1, 2)] == [64, 16, 4]


def test_a_run_averages_every_step_first_and_seldom_later():
    strategy = PostLocalSGD(1 / 30, 8, GrowingInterval(1, FedAvg(8)))
    plan = Plan(3000, 1, 1, seed=0, shards=2, strategy=strategy)
    rounds = [round_ for round_ in plan.rounds() if not round_.solo]
    lengths = [round_.last - round_.first for round_ in rounds]
    assert lengths[:-1] == sorted(lengths[:-1])  # the last ends with the epoch
    assert (lengths[0], lengths[-2]) == (1, 8)
    assert sum(lengths) == 2900


def test_the_last_interval_is_that_of_the_other_strategy_at_the_time():
    strategy = GrowingInterval(1, AdaComm(1e-6, FedAvg(16)))
    assert strategy.interval(Progress(1, 2, 4e-6)).steps == round((16 / 2) ** 0.5)
    assert strategy.interval(Progress(2, 2, 1e-6)).steps == 16


def test_the_options_decide_the_first_interval():
    options = {"strategy": "growing-interval", "average_every": 9}
    assert strategy_for(AveragingConfig(**options, first_average_every=4)) == GrowingInterval(4, FedAvg(9))
    assert strategy_for(AveragingConfig(**options)) == GrowingInterval(1, FedAvg(9))
