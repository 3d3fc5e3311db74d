"""Steps taken alone, each followed by the strategy's update, are averages after every step."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from service.data import read
from service.home import Home
from service.rounds.job import Job
from service.rounds.train_state import TrainState
from tests.jobs import serial_results, small_job

ALONE = {"solo_share": 1.0, "solo_momentum": True, "average_every": 7}


def last_state(job: Job) -> TrainState:
    *_, last = serial_results(job)
    assert last.state is not None
    return last.state


@pytest.mark.parametrize("strategy", [{"outer_momentum": 0.8}, {"outer_momentum": 0.5, "outer_lr": 0.7}])
@pytest.mark.parametrize("momentum", [0.0, 0.6])
@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_a_start_with_updates_has_the_bits_of_averages_after_every_step(
    home: Home, tmp_path: Path, model: str, momentum: float, strategy: dict[str, float]
):
    given = {"model": model, "epochs": 1, "optimizer": {"momentum": momentum}, "train": 203}
    if model == "lenet":
        given |= {"resize": 28}
    job = small_job(home, tmp_path / "idx", averaging=ALONE | strategy, **given)
    every_step = {"shards": 1, "average_every": 1} | strategy
    one = small_job(home, tmp_path / "idx", averaging=every_step, **given)
    alone, averaged = last_state(job), last_state(one)
    np.testing.assert_array_equal(alone.replica.theta, averaged.replica.theta)
    np.testing.assert_array_equal(alone.replica.velocity, averaged.replica.velocity)
    np.testing.assert_array_equal(alone.outer, averaged.outer)
    assert alone.outer.any()


def test_losses_and_examples_are_those_of_all_steps(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", averaging=ALONE | {"outer_momentum": 0.8}, epochs=1)
    one = small_job(
        home, tmp_path / "idx", averaging={"shards": 1, "average_every": 1, "outer_momentum": 0.8}, epochs=1
    )
    alone, averaged = list(serial_results(job)), list(serial_results(one))
    assert [result.round.last for result in alone] == [7, 10]
    assert sum(result.examples for result in alone) == 300
    loss = sum(result.loss * result.examples for result in averaged)
    assert sum(result.loss * result.examples for result in alone) == pytest.approx(loss, rel=1e-12)


def test_outer_momentum_after_every_step_is_pytorchs_nesterov_momentum(home: Home, tmp_path: Path):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    job = small_job(home, tmp_path / "idx", averaging=ALONE | {"outer_momentum": 0.8}, optimizer={"lr": 0.1})
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(144, 256), torch.nn.ReLU(), torch.nn.Linear(256, 5)
    )
    first = [view.copy() for _, view in job.network.named_parameters(job.initial_state().replica.theta)]
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), first, strict=True):
            parameter.copy_(torch.from_numpy(value))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.8, nesterov=True)
    images, labels = read(job.data.path, "train", job.data.digest)
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels).long()
    for round_ in job.plan.rounds():
        examples, offsets = job.plan.batches(round_, 0)
        for low, high in pairwise(offsets):
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(network(x[examples[low:high]]), y[examples[low:high]]).backward()
            optimizer.step()
    ours = [view for _, view in job.network.named_parameters(last_state(job).replica.theta)]
    for mine, theirs in zip(ours, network.parameters(), strict=True):
        # 20 steps in float32 on both sides
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-3, atol=1e-5)
