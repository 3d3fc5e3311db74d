"""What the options of averaging come to, as they did before strategies had names."""

from typing import Any

import pytest

from service.config import AveragingConfig
from service.rounds.strategies import Strategy, strategy_for
from service.rounds.strategies.adacomm import AdaComm
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.post_local_sgd import PostLocalSGD
from service.rounds.strategies.velocity_reset import VelocityReset

DEFAULT = DiLoCo(118, 1.0, 0.8)


@pytest.mark.parametrize(
    ("options", "strategy"),
    [
        ({}, PostLocalSGD(0.15, 118, DEFAULT, 1000)),
        ({"solo_share": 0.0}, PostLocalSGD(0.0, 118, DEFAULT, 1000)),
        ({"solo_loss": 1.5}, PostLocalSGD(0.15, 118, DEFAULT, 1000, 1.5)),
        ({"average_every": 9}, PostLocalSGD(0.15, 9, DiLoCo(9, 1.0, 0.8), 1000)),
        ({"outer_lr": 0.5, "outer_momentum": 0.0}, PostLocalSGD(0.15, 118, DiLoCo(118, 0.5, 0.0), 1000)),
        ({"velocity": "reset"}, PostLocalSGD(0.15, 118, VelocityReset(DEFAULT), 1000)),
        ({"first_average_every": 4}, PostLocalSGD(0.15, 118, GrowingInterval(4, DEFAULT), 1000)),
        ({"target_dispersion": 3e-6}, PostLocalSGD(0.15, 118, AdaComm(3e-6, DEFAULT), 1000)),
        (
            {"target_dispersion": 3e-6, "first_average_every": 4, "velocity": "reset"},
            PostLocalSGD(0.15, 118, AdaComm(3e-6, GrowingInterval(4, VelocityReset(DEFAULT))), 1000),
        ),
    ],
)
def test_each_option_is_one_strategy_around_the_others(options: dict[str, Any], strategy: Strategy):
    assert strategy_for(AveragingConfig(**options)) == strategy
