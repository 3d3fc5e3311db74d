"""Averaging after every step is the training of one process, and rounds are functions of their arguments."""

from pathlib import Path

import numpy as np
import pytest

from service.home import Home
from service.rounds.job import Job
from service.rounds.train_state import TrainState
from tests.jobs import serial_results, small_job


def last_state(job: Job) -> TrainState:
    *_, last = serial_results(job)
    assert last.state is not None
    return last.state


@pytest.mark.parametrize("momentum", [0.0, 0.8])
@pytest.mark.parametrize("shards", [1, 2, 3, 5])
@pytest.mark.parametrize("model", ["mlp", "lenet"])
def test_averaging_after_every_step_is_large_batch_sgd(home: Home, tmp_path: Path, model, shards, momentum):
    # 203 examples in batches of 32 make a ragged last batch of 11; 3 and 5 shards share 32 unevenly
    given = {"model": model, "train": 203, "epochs": 1, "optimizer": {"lr": 0.3, "momentum": momentum}}
    if model == "lenet":
        given |= {"resize": 28}
    job = small_job(home, tmp_path / "idx", averaging={"shards": shards, "average_every": 1}, **given)
    one = small_job(home, tmp_path / "idx", averaging={"shards": 1, "average_every": 1000}, **given)
    together, alone = last_state(job), last_state(one)
    moved = np.abs(alone.replica.theta - job.initial_state().replica.theta).max()
    assert moved > 0.01
    # seven steps of float32 sums in another order: some 1e-6 of what the parameters moved by
    np.testing.assert_allclose(together.replica.theta, alone.replica.theta, rtol=0, atol=2e-5 * moved + 2e-6)
    np.testing.assert_allclose(together.replica.velocity, alone.replica.velocity, rtol=1e-3, atol=2e-5)


def test_steps_match_pytorch_with_the_same_batches(home: Home, tmp_path: Path):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    from service.data import read

    job = small_job(
        home,
        tmp_path / "idx",
        optimizer={"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
        averaging={"shards": 2, "average_every": 1},
    )
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(144, 256), torch.nn.ReLU(), torch.nn.Linear(256, 5)
    )
    first = [torch.from_numpy(view.copy()) for _, view in job.network.named(job.initial_state().replica.theta)]
    with torch.no_grad():
        for parameter, value in zip(network.parameters(), first, strict=True):
            parameter.copy_(value)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, momentum=0.9, nesterov=True, weight_decay=0.01)
    images, labels = read(job.data.path, "train", job.data.digest)
    x, y = torch.from_numpy(images).float() / 255, torch.from_numpy(labels).long()
    for round_ in job.plan.rounds():
        batch = np.concatenate([job.plan.batches(round_, shard)[0] for shard in range(2)])
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(network(x[batch]), y[batch]).backward()
        optimizer.step()
    ours = [view for _, view in job.network.named(last_state(job).replica.theta)]
    for mine, theirs in zip(ours, network.parameters(), strict=True):
        # 20 steps in float32 on both sides
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-3, atol=1e-5)


def test_a_shard_without_examples_changes_nothing(home: Home, tmp_path: Path):
    # 33 examples in batches of 32: the second step has one example for three shards
    job = small_job(home, tmp_path / "idx", train=33, epochs=1, averaging={"shards": 3, "average_every": 1})
    reports = list(serial_results(job))
    assert [report.examples for report in reports] == [32, 1]


def test_the_same_job_gives_the_same_bits(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", averaging={"shards": 11, "average_every": 3}, augment={"shift": 1})
    assert last_state(job).digest == last_state(job).digest


def test_another_seed_gives_other_bits(home: Home, tmp_path: Path):
    job, other = small_job(home, tmp_path / "idx"), small_job(home, tmp_path / "idx", seed=1)
    assert last_state(job).digest != last_state(other).digest
