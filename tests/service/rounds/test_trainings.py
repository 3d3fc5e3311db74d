"""Strategies of averaging, held against a training written out in NumPy, and through stops to the same bits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.config import from_preset
from service.home import Home
from service.rounds.job import Job
from service.rounds.plan import ROUNDS_AHEAD, shuffle
from service.runs import RunFolder
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.resume import recorded_job, reopen_run
from service.training.start import create_run
from service.training.verify import verify_run
from tests.jobs import serial_results, small, small_job

STRATEGIES: dict[str, dict[str, Any]] = {
    "growing H": {"averaging": {"first_average_every": 1, "average_every": 9}},
    "shrinking H": {"averaging": {"first_average_every": 9, "average_every": 2}},
    "H that follows the dispersion": {
        "averaging": {"average_every": 3, "target_dispersion": 5e-6, "solo_share": 0.1, "shards": 2},
        "epochs": 4,
        "batch_size": 12,
    },
    "a start that ends by the loss": {
        "averaging": {"average_every": 2, "solo_share": 0.9, "solo_loss": 0.8, "outer_momentum": 0.6},
        "epochs": 3,
    },
    "a start that ends by the loss in the first epoch, then shrinking H": {
        "averaging": {"first_average_every": 6, "average_every": 2, "solo_share": 0.9, "solo_loss": 0.8},
        "batch_size": 16,
    },
    "velocity averaged": {"optimizer": {"momentum": 0.8}},
    "velocity reset": {"averaging": {"velocity": "reset"}, "optimizer": {"momentum": 0.8}},
    "velocity reset after a solo start": {
        "averaging": {"velocity": "reset", "solo_share": 0.3},
        "optimizer": {"momentum": 0.8},
    },
    "outer momentum": {"averaging": {"outer_momentum": 0.6, "outer_lr": 0.9, "solo_share": 0.3}},
    "FedAvg": {"averaging": {"strategy": "fedavg", "solo_share": 0.3, "outer_momentum": 0.6}},
    "post-local SGD": {"averaging": {"strategy": "post-local-sgd", "solo_share": 0.3, "outer_momentum": 0.6}},
    "DiLoCo": {"averaging": {"strategy": "diloco", "outer_momentum": 0.6, "solo_share": 0.3}},
    "SlowMo": {
        "averaging": {"strategy": "slowmo", "outer_momentum": 0.6, "outer_lr": 0.8, "velocity": "reset"},
        "optimizer": {"momentum": 0.8},
    },
    "growing interval": {"averaging": {"strategy": "growing-interval", "first_average_every": 2, "average_every": 9}},
    "warm-up": {"optimizer": {"warmup": 0.4}},
    "rate scaled up": {"averaging": {"lr_scaling": 0.5, "solo_share": 0.3}},
    "rate scaled down": {"averaging": {"lr_scaling": -1.0}},
    "all": {
        "averaging": {"velocity": "reset", "lr_scaling": 0.5, "solo_share": 0.3, "first_average_every": 1},
        "optimizer": {"momentum": 0.8, "warmup": 0.4},
    },
}


def trained_by_hand(job: Job, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """The final parameters, in float64, from nothing but the configuration and the order of the examples."""
    config, size, batch = job.config, len(images), job.config.batch_size
    optimizer, averaging = config.optimizer, config.averaging
    theta = job.initial_state().replica.theta.astype(np.float64)
    velocity, an_epoch = np.zeros_like(theta), -(-size // batch)
    total = config.epochs * an_epoch
    starts_alone = averaging.strategy in ("composed", "post-local-sgd")
    solo, step = round(averaging.solo_share * total) if starts_alone else 0, 0
    outer = np.zeros_like(theta)
    dispersions: list[float | None] = []
    losses: list[float] = []
    while step < total:
        if averaging.solo_loss and step < solo and len(losses) >= 4 and losses[-4] < averaging.solo_loss:
            solo = step
        apart = step >= solo
        first = averaging.first_average_every or averaging.average_every
        way = (step - solo) / (total - solo)
        every = np.rint(np.exp((1 - way) * np.log(first) + way * np.log(averaging.average_every))) if apart else solo
        if averaging.solo_loss and not apart:
            every = averaging.average_every
        seen = dispersions[-4] if len(dispersions) >= 4 else None
        if apart and averaging.target_dispersion and seen is not None:
            every = np.rint(every * np.clip(np.sqrt(averaging.target_dispersion / seen), 0.25, 4))
        last = int(min(step + every, (step // an_epoch + 1) * an_epoch, total if apart else solo))
        shards = averaging.shards if apart else 1
        thetas, velocities, weights, summed = [], [], np.zeros(shards), 0.0
        for shard in range(shards):
            own, moving = theta.copy(), velocity.copy()
            for now in range(step, last):
                order = shuffle(config.seed, now // an_epoch, size)
                low = now % an_epoch * batch
                whole = order[low : low + batch]
                mine = whole[len(whole) * shard // shards : len(whole) * (shard + 1) // shards]
                weights[shard] += len(mine)
                summed += cross_entropies(job, own, images[mine], labels[mine]).sum()
                rate = optimizer.lr * min(1, (now + 1) / max(1, round(optimizer.warmup * total)))
                rate *= shards**averaging.lr_scaling
                moving = optimizer.momentum * moving + gradient(job, own, images[mine], labels[mine])
                own = own - rate * moving
            thetas.append(own)
            velocities.append(moving)
        mean = np.average(thetas, axis=0, weights=weights)
        losses.append(summed / weights.sum())
        squares = [np.sum((own - mean) ** 2) for own in thetas]
        apart_squared = np.average(squares, weights=weights) / (last - step) / np.sum(mean**2)
        dispersions.append(apart_squared if apart else None)
        velocity = np.average(velocities, axis=0, weights=weights)
        rate, momentum = averaging.outer_lr, averaging.outer_momentum
        if not apart or averaging.strategy in ("fedavg", "post-local-sgd", "growing-interval"):
            theta = mean
        elif averaging.strategy == "slowmo":
            outer = momentum * outer + (mean - theta)
            theta = theta + rate * outer
        else:
            outer = momentum * outer + (mean - theta)
            theta = theta + rate * ((mean - theta) + momentum * outer)
        if apart and averaging.velocity == "reset":
            velocity = np.zeros_like(velocity)
        step = last
    return theta


def forward(job: Job, theta: np.ndarray, images: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A perceptron with one hidden layer: what comes in, the hidden layer and the probabilities."""
    w1, b1, w2, b2 = (view for _, view in job.network.named_parameters(theta))
    x = images.reshape(len(images), -1) / 255
    hidden = np.maximum(x @ w1.T + b1, 0)
    logits = hidden @ w2.T + b2
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    return x, hidden, shares / shares.sum(axis=1, keepdims=True)


def cross_entropies(job: Job, theta: np.ndarray, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of each example."""
    return -np.log(forward(job, theta, images)[2][np.arange(len(labels)), labels])


def gradient(job: Job, theta: np.ndarray, images: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Of the mean cross-entropy."""
    _, _, w2, b2 = (view for _, view in job.network.named_parameters(theta))
    x, hidden, probabilities = forward(job, theta, images)
    d = (probabilities - np.eye(len(b2))[labels]) / len(labels)
    dh = (d @ w2) * (hidden > 0)
    return np.concatenate([(dh.T @ x).ravel(), dh.sum(axis=0), (d.T @ hidden).ravel(), d.sum(axis=0)])


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_strategy_is_the_training_written_out_by_hand(home: Home, tmp_path: Path, name: str):
    from service.data import read

    job = small_job(home, tmp_path / "idx", **STRATEGIES[name])
    *_, last = serial_results(job)
    assert last.state is not None
    expected = trained_by_hand(job, *read(job.data.path, "train", job.data.digest))
    moved = np.abs(expected - job.initial_state().replica.theta).max()
    assert moved > 0.02
    # twenty steps in float32 against float64
    np.testing.assert_allclose(last.state.replica.theta, expected, rtol=0, atol=1e-4 * moved + 2e-6)


@pytest.mark.parametrize(
    "name",
    [
        "growing H",
        "H that follows the dispersion",
        "a start that ends by the loss",
        "a start that ends by the loss in the first epoch, then shrinking H",
        "SlowMo",
        "all",
    ],
)
def test_a_run_that_is_stopped_goes_on_to_the_same_bits_and_can_be_verified(
    home: Home, tmp_path: Path, executor_of, name: str
):
    job = small_job(home, tmp_path / "idx", **STRATEGIES[name])
    *_, alone = serial_results(job)
    folder, begun = create_run(home, executor_of(2), from_preset(small(**STRATEGIES[name])), "run")
    entries = advance(executor_of(2), folder, begun)
    while next(entries)["kind"] != "epoch":
        pass
    entries.close()
    for _ in advance(executor_of(2), folder, reopen_run(home, executor_of(2), folder)):
        pass
    assert final_checkpoint(folder).state.digest == alone.digest
    again = RunFolder.open(home.runs, "run")
    assert all(verdict.same for verdict in verify_run(again, recorded_job(home, again)))


def test_a_following_h_changes_in_mid_run_and_every_example_is_still_seen_once(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", **STRATEGIES["H that follows the dispersion"])
    rounds = [done.round for done in serial_results(job)]
    apart = [round_ for round_ in rounds if not round_.solo]
    lengths = [round_.last - round_.first for round_ in apart if round_.last < job.plan.steps_per_epoch]
    assert len(set(lengths[ROUNDS_AHEAD:])) > 1, lengths
    for epoch in range(job.plan.epochs):
        used = [job.plan.batches(r, k)[0] for r in rounds if r.epoch == epoch for k in range(r.shards)]
        assert sorted(np.concatenate(used)) == list(range(job.plan.examples))


def test_a_start_that_ends_by_the_loss_ends_four_rounds_after_it_fell_and_in_mid_run(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", **STRATEGIES["a start that ends by the loss"])
    results = list(serial_results(job))
    below = next(number for number, result in enumerate(results) if result.loss < 0.8)
    solo = [result.round.solo for result in results]
    assert solo == [number < below + ROUNDS_AHEAD for number in range(len(results))]
    assert results[below].round.solo
    last = results[below + ROUNDS_AHEAD - 1].round
    steps = last.epoch * job.plan.steps_per_epoch + last.last
    assert steps < round(0.9 * job.plan.steps), "not by the share"
    assert {result.round.solo_steps for result in results[below + ROUNDS_AHEAD :]} == {steps}
    assert max(result.loss for result in results[:below]) > 0.8
