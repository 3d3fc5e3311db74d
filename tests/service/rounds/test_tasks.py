"""Averaging after every step is the training of one process, and rounds are functions of their arguments."""

import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ops.backends.cpu.threads import sharing
from ops.engines.array import ArrayEngine
from service.home import Home
from service.rounds import tasks
from service.rounds.job import Job
from service.rounds.tasks import shard_update, shard_updates, state_after
from service.rounds.train_state import TrainState
from tests.jobs import serial_results, small_job


def last_digest(job: Job) -> str:
    return last_state(job).digest


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
    first = [
        torch.from_numpy(view.copy()) for _, view in job.network.named_parameters(job.initial_state().replica.theta)
    ]
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
    ours = [view for _, view in job.network.named_parameters(last_state(job).replica.theta)]
    for mine, theirs in zip(ours, network.parameters(), strict=True):
        # 20 steps in float32 on both sides
        np.testing.assert_allclose(mine, theirs.detach().numpy(), rtol=1e-3, atol=1e-5)


def test_a_shard_without_examples_changes_nothing(home: Home, tmp_path: Path):
    # 33 examples in batches of 32: the second step has one example for three shards, which falls to the last of them
    given = {"train": 33, "epochs": 1, "optimizer": {"lr": 0.2, "momentum": 0.8}}
    job = small_job(home, tmp_path / "idx", averaging={"shards": 3, "average_every": 1}, **given)
    first, second = serial_results(job)
    assert [first.examples, second.examples] == [32, 1]
    assert first.state is not None
    assert second.state is not None
    for shard in (0, 1):
        idle = shard_update(job, second.round, shard, first.state)
        assert (idle.stats.examples, idle.stats.loss, idle.stats.spread) == (0, 0.0, 0.0)
        np.testing.assert_array_equal(idle.replica.theta, first.state.replica.theta)
        np.testing.assert_array_equal(idle.replica.velocity, first.state.replica.velocity)
    busy = shard_update(job, second.round, 2, first.state)
    assert not np.array_equal(busy.replica.theta, first.state.replica.theta)
    np.testing.assert_array_equal(second.state.replica.theta, busy.replica.theta)
    np.testing.assert_array_equal(second.state.replica.velocity, busy.replica.velocity)


def test_shards_in_one_call_give_the_bits_that_each_gives_by_itself(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", averaging={"shards": 5}, optimizer={"momentum": 0.8}, augment={"shift": 1})
    start, round_ = job.initial_state(), job.plan.first_round()
    together = shard_updates(job, round_, [3, 0, 4], start, worker="tcp://here:1")
    for shard, update in zip([3, 0, 4], together, strict=True):
        alone = shard_update(job, round_, shard, start)
        np.testing.assert_array_equal(update.replica.theta, alone.replica.theta)
        np.testing.assert_array_equal(update.replica.velocity, alone.replica.velocity)
        assert (update.stats.loss, update.stats.correct) == (alone.stats.loss, alone.stats.correct)
        assert update.stats.slowest.worker == "tcp://here:1"
        assert (update.start is not None) == (shard == 0)


def test_kernels_have_all_processors_in_a_round_that_is_taken_alone_and_one_in_others(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    job = small_job(home, tmp_path / "idx", averaging={"shards": 2, "solo_share": 0.5}, engine="array")
    threads: list[tuple[bool, int]] = []
    run_shards = ArrayEngine.run_shards

    def counting(*given: Any) -> Any:
        threads.append((round_.solo, sharing()))
        return run_shards(*given)

    monkeypatch.setattr(ArrayEngine, "run_shards", counting)
    monkeypatch.setattr(tasks, "usable_processors", lambda: 3)
    for round_ in job.plan.rounds():
        shard_update(job, round_, 0, job.initial_state())
    assert set(threads) == {(True, 3), (False, 1)}


def test_the_state_after_a_round_is_kept_for_copies_of_its_parts_and_for_nothing_else(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    start, round_ = job.initial_state(), job.plan.first_round()
    parts = shard_updates(job, round_, range(round_.shards), start)
    state = state_after(job, (round_, parts))
    assert state_after(job, (round_, pickle.loads(pickle.dumps(parts)))) is state
    other = small_job(home, tmp_path / "idx", averaging={"outer_momentum": 0.5})
    assert state_after(other, (round_, parts)).digest != state.digest
    again = shard_updates(job, round_, range(round_.shards), start)
    assert state_after(job, (round_, again)) is not state
    assert state_after(job, (round_, again)).digest == state.digest


@pytest.mark.parametrize("engine", ["array", "simd"])
def test_another_process_gives_the_same_bits(home: Home, tmp_path: Path, engine: str):
    given = {"averaging": {"shards": 11, "average_every": 3, "outer_momentum": 0.5}, "augment": {"shift": 1}}
    job = small_job(home, tmp_path / "idx", engine=engine, **given)
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as process:
        there = process.submit(last_digest, job).result(timeout=240)
    assert there == last_digest(job)


def test_another_seed_gives_other_bits(home: Home, tmp_path: Path):
    job, other = small_job(home, tmp_path / "idx"), small_job(home, tmp_path / "idx", seed=1)
    assert last_state(job).digest != last_state(other).digest
