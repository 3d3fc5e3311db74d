import pickle
from pathlib import Path

import numpy as np
import pytest

from service.config import AveragingConfig
from service.errors import InvalidInput
from service.rounds.strategies import Progress, names, strategy_for
from service.rounds.strategies.fedavg import FedAvg
from service.rounds.strategies.registry import unread_options
from tests.packages import install
from tests.service.rounds.strategies.states import drawn

PACKAGE = """
from dataclasses import dataclass
from service.rounds.strategies.fedavg import FedAvg

def from_config(config):
    return FedAvg(2 * config.average_every)
"""


def test_strategies_are_found_by_the_names_of_their_files():
    own = {"adacomm", "composed", "diloco", "fedavg", "growing-interval", "post-local-sgd", "slowmo"}
    assert own <= set(names())
    assert strategy_for(AveragingConfig(strategy="fedavg", average_every=5)) == FedAvg(5)


@pytest.mark.parametrize("name", names())
def test_a_strategy_is_a_value_that_arrives_as_it_was_sent(name: str):
    strategy = strategy_for(AveragingConfig(strategy=name))
    assert pickle.loads(pickle.dumps(strategy)) == strategy
    assert hash(strategy) == hash(pickle.loads(pickle.dumps(strategy)))
    start, average = drawn()
    first, again = strategy.update(start, average), strategy.update(start, average)
    np.testing.assert_array_equal(first.replica.theta, again.replica.theta)
    assert first.replica.theta.dtype == first.outer.dtype == np.float32
    assert strategy.init(start.replica.theta).dtype == np.float32
    assert strategy.interval(Progress(50, 100)).steps >= 1


def test_an_unknown_strategy_is_refused_with_a_list_of_those_that_there_are():
    with pytest.raises(InvalidInput, match=r"strategy must be one of adacomm, .*slowmo, got 'fedsgd'"):
        strategy_for(AveragingConfig(strategy="fedsgd"))


def test_modules_that_are_no_strategies_are_not_taken_for_some():
    for name in ("base", "registry", "velocity-reset"):
        with pytest.raises(InvalidInput, match="must be one of"):
            strategy_for(AveragingConfig(strategy=name))


def test_another_package_can_add_a_strategy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    ours = {"another": "twice:nothing", "twice": "twice:from_config"}
    groups = {"somebody.elses": {"twice": "twice:PACKAGE"}, "atelier.strategies": ours}
    install(tmp_path, monkeypatch, "twice", PACKAGE, groups)
    assert {"another", "twice"} <= set(names())
    assert strategy_for(AveragingConfig(strategy="twice", average_every=5)) == FedAvg(10)


def test_a_strategy_of_another_package_that_cannot_be_imported_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    install(tmp_path, monkeypatch, "broken", "", {"atelier.strategies": {"broken": "broken:from_config"}})
    with pytest.raises(InvalidInput, match="strategy 'broken' can't be imported"):
        strategy_for(AveragingConfig(strategy="broken"))


def test_options_that_a_strategy_does_not_read_are_known():
    given = {"average_every": 5, "outer_momentum": 0.5, "shards": 8, "lr_scaling": 0.5}
    assert unread_options(AveragingConfig(strategy="fedavg", **given), given) == ["outer_momentum"]
    assert unread_options(AveragingConfig(strategy="diloco", **given), given) == []
    everything = {field: AveragingConfig.model_fields[field].default for field in AveragingConfig.model_fields}
    assert unread_options(AveragingConfig(), everything) == []


def test_the_default_strategy_reads_every_option():
    changed = {
        "average_every": 7,
        "solo_share": 0.5,
        "outer_lr": 0.5,
        "outer_momentum": 0.5,
        "first_average_every": 3,
        "target_dispersion": 1e-6,
        "velocity": "reset",
        "solo_steps": 7,
        "solo_loss": 1.5,
    }
    assert set(changed) | {"strategy", "shards", "lr_scaling", "final_average"} == set(AveragingConfig.model_fields)
    assert unread_options(AveragingConfig(**changed), changed) == []
