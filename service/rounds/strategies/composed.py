"""The default: what the options of averaging say, composed of the strategies beside this file."""

from service.config import AveragingConfig
from service.rounds.strategies.adacomm import AdaComm
from service.rounds.strategies.base import Strategy
from service.rounds.strategies.diloco import DiLoCo
from service.rounds.strategies.growing_interval import GrowingInterval
from service.rounds.strategies.post_local_sgd import PostLocalSGD
from service.rounds.strategies.velocity_reset import VelocityReset


def from_config(config: AveragingConfig) -> Strategy:
    """`--strategy composed` reads every option, each of which is one strategy around those before it."""
    strategy: Strategy = DiLoCo(config.average_every, config.outer_lr, config.outer_momentum)
    if config.velocity == "reset":
        strategy = VelocityReset(strategy)
    if config.first_average_every:
        strategy = GrowingInterval(config.first_average_every, strategy)
    if config.target_dispersion:
        strategy = AdaComm(config.target_dispersion, strategy)
    return PostLocalSGD(config.solo_share, config.average_every, strategy, config.solo_steps, config.solo_loss)
