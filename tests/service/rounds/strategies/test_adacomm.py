from math import sqrt

from hypothesis import given
from hypothesis import strategies as st

from service.config import AveragingConfig
from service.rounds.strategies import Progress, strategy_for
from service.rounds.strategies.adacomm import AdaComm
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.growing_interval import GrowingInterval


def test_the_interval_goes_with_the_inverse_root_of_the_dispersion_within_a_factor_of_4():
    strategy = AdaComm(1e-6, FedAvg(40))
    steps = [strategy.interval(Progress(9, 90, 1e-6 * times)).steps for times in (1, 4, 1 / 4, 1e9, 0)]
    assert steps == [40, 20, 80, 10, 160]


def test_the_interval_is_the_usual_one_as_long_as_nothing_was_measured():
    assert AdaComm(1e-6, FedAvg(40)).interval(Progress(9, 90)) == (40, False)


@given(dispersion=st.floats(1e-8, 1e-4), every=st.integers(1, 500))
def test_the_interval_costs_least_by_the_model_of_the_paper(dispersion: float, every: int):
    """Of all intervals within reach, c / H + s * H is least at the one that is taken, with c so that H_0 is right."""
    target = 1e-6
    cost = target * every**2

    def total(steps: float) -> float:
        return cost / steps + dispersion * steps

    best = min(max(every * sqrt(target / dispersion), every / 4), every * 4)
    taken = AdaComm(target, FedAvg(every)).interval(Progress(9, 90, dispersion)).steps
    assert abs(taken - best) <= 0.5 or taken == 1
    assert all(total(best) <= total(best * factor) + 1e-15 for factor in (0.9, 1.1) if every / 4 < best < every * 4)


def test_the_usual_interval_may_be_one_that_grows():
    strategy = AdaComm(4e-6, GrowingInterval(2, FedAvg(32)))
    assert [strategy.interval(Progress(step, 2, 1e-6)).steps for step in (0, 1, 2)] == [4, 16, 64]


def test_the_options_decide_which_dispersion_is_the_usual_one():
    options = {"strategy": "adacomm", "average_every": 9}
    assert strategy_for(AveragingConfig(**options, target_dispersion=1e-5)) == AdaComm(1e-5, FedAvg(9))
    assert strategy_for(AveragingConfig(**options)) == AdaComm(3e-6, FedAvg(9))
