"""What the bench of trainings has the service train."""

from pathlib import Path

import pytest

from service.bench.training import _config, measure_training, render
from service.data import describe
from service.home import Home
from service.rounds.plan import plan_for
from tests.jobs import blobs_store


@pytest.mark.parametrize("network", ["lenet", "resnet8", "groupnet"])
def test_a_few_examples_are_trained_on_side_by_side_and_nothing_else_is_done(home: Home, tmp_path: Path, network: str):
    blobs_store(home, tmp_path / "idx")
    data = describe(home.store("blobs"))
    config = _config(network, data, batch_size=10, epochs=4, examples=200)
    rounds = list(plan_for(config, data.train).rounds())
    apart = sum(round_.last - round_.first for round_ in rounds if not round_.solo)
    assert apart >= 0.8 * 4 * 20  # the share of steps taken alone is the strategy's
    assert not config.evaluates_epochs
    assert not config.augment.flip


@pytest.mark.peers
@pytest.mark.slow
def test_a_network_of_one_s_own_is_measured_beside_pytorch(home: Home, tmp_path: Path):
    pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    blobs_store(home, tmp_path / "idx")
    layers = '["flatten", { dense = { units = "classes" } }]'
    report = measure_training(
        home,
        network=f'name = "mine"\nlayers = {layers}',
        batch_size=16,
        epochs=1,
        repetitions=1,
        examples=64,
        dataset="blobs",
    )
    assert report.network == "mine"
    assert report.eager_ratio == report.atelier_examples_per_s / report.torch_eager_examples_per_s
    assert report.ratio <= report.eager_ratio
    assert "ratio to PyTorch eager" in render(report)
