"""Runs whose replicas hold more than parameters and one velocity: buffers, and what AdamW keeps."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.home import Home
from service.networks import Description
from service.rounds.job import Job
from service.rounds.serial_executor import run_round
from service.rounds.tasks import shard_updates
from service.runs import checkpoints
from service.runs.checkpoints import Checkpoint
from tests.jobs import serial_results, small_job

NETWORK = {
    "name": "small-residual",
    "initializer": "he",
    "layers": [
        {"conv2d": {"channels": 4, "kernel_size": 3, "stride": 2, "bias": False}},
        "batchnorm2d",
        "relu",
        {"residual": {"body": [{"conv2d": {"channels": 4, "kernel_size": 3, "padding": 1}}, "batchnorm2d"]}},
        {"concat": {"branches": [[], [{"conv2d": {"channels": 2, "kernel_size": 1}}, "silu"]]}},
        {"avgpool2d": {"global_pool": True}},
        "flatten",
        {"dense": {"units": "classes"}},
    ],
}

OPTIMIZERS: list[dict[str, Any]] = [
    {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01},
    {"lr": 0.01, "optimizer": "adamw", "weight_decay": 0.01, "clip_norm": 1.0},
    {"lr": 0.003, "optimizer": "lion"},
]


@pytest.fixture(params=OPTIMIZERS, ids=["sgd", "adamw", "lion"])
def job(request: pytest.FixtureRequest, home: Home, tmp_path: Path) -> Job:
    averaging = {"outer_momentum": 0.5, "solo_share": 0.3}
    return small_job(
        home, tmp_path / "idx", model=Description.of(NETWORK), optimizer=request.param, averaging=averaging
    )


def test_a_run_goes_on_from_a_checkpoint_to_the_same_bits(job: Job, tmp_path: Path):
    results = list(serial_results(job))
    assert results[-1].loss < results[0].loss
    middle = results[len(results) // 2]
    assert middle.state is not None
    checkpoints.write(tmp_path / "checkpoints", Checkpoint(middle.round, 1, middle.state))
    state = checkpoints.read(tmp_path / "checkpoints" / str(middle.round.number + 1)).state
    for expected in results[len(results) // 2 + 1 :]:
        result = run_round(job, state, expected.round)
        assert result.digest == expected.digest
        assert result.state is not None
        state = result.state


def test_buffers_are_averaged_by_examples_and_the_outer_momentum_leaves_them_alone(job: Job):
    trained, state = job.network.num_parameters, job.initial_state()
    assert state.replica.theta.size == job.network.size > trained
    assert state.outer.size == trained
    for result in serial_results(job):
        assert result.state is not None
        if not result.round.solo:
            updates = shard_updates(job, result.round, range(3), state)
            weights = [update.stats.examples for update in updates]
            mean = np.average([update.replica.theta[trained:] for update in updates], axis=0, weights=weights)
            np.testing.assert_allclose(result.state.replica.theta[trained:], mean, rtol=1e-6)
        state = result.state
    size = job.step_config.state_size(trained)
    assert state.replica.velocity.shape == (size,)
    assert (state.replica.theta[trained:] != job.initial_state().replica.theta[trained:]).all()
