"""The learning rate of each step of a whole run, against formulas written out here and PyTorch's schedulers."""

from collections.abc import Callable
from math import cos, pi
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from service.data import read
from service.data.holdout import stratified_holdout
from service.home import Home
from service.rounds.job import Job
from service.rounds.learning_rates import learning_rates, shards_scale
from service.rounds.plan import Round
from service.rounds.steps import steps_of
from tests.jobs import small_job

RATE = 0.3
EXAMPLES, BATCH, EPOCHS = 203, 32, 3  # 7 steps an epoch, of which the last is small; 21 in all
TOTAL = 21


def rates_of_run(job: Job) -> np.ndarray:
    """The rate of every step of the run, one after another."""
    return np.concatenate([learning_rates(job, round_) for round_ in job.plan.rounds()])


def job_of(
    home: Home, folder: Path, optimizer: dict[str, Any], averaging: dict[str, Any] | None = None, seed: int = 0
) -> Job:
    averaging = {"average_every": 3, **(averaging or {})}
    given = {"optimizer": {"lr": RATE, **optimizer}, "averaging": averaging, "seed": seed}
    return small_job(home, folder / "idx", train=EXAMPLES, batch_size=BATCH, epochs=EPOCHS, **given)


def one_cycle(step: int) -> float:
    """Up from a 25th along half a cosine over 30 % of the steps, then down to a 10,000th of where it began."""
    top = 0.3 * TOTAL - 1
    low, high, share = (RATE / 25, RATE, step / top) if step < top else (RATE / 25e4, RATE, 0.0)
    if step >= top:
        share = 1 - (step - top) / (TOTAL - 1 - top)
    return low + (high - low) * (1 - cos(pi * share)) / 2


FORMULAS: dict[str, Callable[[int], float]] = {
    "constant": lambda step: RATE,
    "cosine": lambda step: RATE * (1 + cos(pi * step / TOTAL)) / 2,
    "one-cycle": one_cycle,
}


@pytest.mark.parametrize("schedule", FORMULAS)
def test_a_schedule_goes_on_over_all_epochs(home: Home, tmp_path: Path, schedule: str):
    rates = rates_of_run(job_of(home, tmp_path, {"schedule": schedule}))
    assert rates.dtype == np.float32
    # one rounding to float32
    np.testing.assert_allclose(rates, [FORMULAS[schedule](step) for step in range(TOTAL)], rtol=2e-7)


@pytest.mark.parametrize("schedule", ["cosine", "one-cycle"])
def test_a_schedule_is_the_one_of_pytorch(home: Home, tmp_path: Path, schedule: str):
    torch = pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    schedulers = torch.optim.lr_scheduler
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=RATE)
    scheduler = (
        schedulers.CosineAnnealingLR(optimizer, TOTAL)
        if schedule == "cosine"
        else schedulers.OneCycleLR(optimizer, RATE, total_steps=TOTAL, cycle_momentum=False)
    )
    theirs = []
    for _ in range(TOTAL):
        theirs.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    rates = rates_of_run(job_of(home, tmp_path, {"schedule": schedule}))
    # one rounding to float32; PyTorch's cosine is a recursion of 21 float64 steps
    np.testing.assert_allclose(rates, theirs, rtol=1e-6)


def test_a_warm_up_goes_over_the_first_steps_of_the_run_and_not_of_each_epoch(home: Home, tmp_path: Path):
    rates = rates_of_run(job_of(home, tmp_path, {"warmup": 0.5}))
    # half of 21 steps are 10
    np.testing.assert_allclose(rates, [RATE * min(1, (step + 1) / 10) for step in range(TOTAL)], rtol=2e-7)


@pytest.mark.parametrize(("power", "factor"), [(0.0, 1.0), (1.0, 4.0), (0.5, 2.0), (-1.0, 0.25)])
def test_the_rate_is_scaled_by_the_shards_while_they_are_apart(home: Home, tmp_path: Path, power: float, factor: float):
    rates = rates_of_run(job_of(home, tmp_path, {}, {"shards": 4, "lr_scaling": power, "solo_share": 1 / 3}))
    np.testing.assert_allclose(rates, [RATE] * 7 + [RATE * factor] * 14, rtol=2e-7)


def test_all_shards_of_a_round_take_its_steps_at_the_same_rates(home: Home, tmp_path: Path):
    job = job_of(home, tmp_path, {"schedule": "cosine"}, seed=5)
    round_ = list(job.plan.rounds())[4]
    taken = [steps_of(job, round_, shard) for shard in range(round_.shards)]
    assert round_.epoch == 1
    for shard, steps in enumerate(taken):
        examples, offsets = job.plan.batches(round_, shard)
        np.testing.assert_array_equal(steps.examples, examples)
        np.testing.assert_array_equal(steps.offsets, offsets)
        np.testing.assert_array_equal(steps.rates, learning_rates(job, round_))
        assert (steps.seed, steps.epoch, len(steps.offsets)) == (5, 1, round_.last - round_.first + 1)


def test_a_task_that_takes_whole_batches_alone_takes_them_at_the_rate_of_one():
    assert shards_scale(Round(number=0, epoch=0, first=0, last=1, shards=4, solo=True), 1.0) == 1.0


@pytest.mark.parametrize("by", ["stratified", "last"])
def test_steps_take_every_example_but_those_that_are_held_out(home: Home, tmp_path: Path, by: str):
    job = small_job(home, tmp_path / "idx", train=EXAMPLES, epochs=1, holdout=40, holdout_by=by)
    _, labels = read(job.data.path, "train", job.data.digest)
    held_out = stratified_holdout(labels, 40, job.config.seed) if by == "stratified" else range(163, EXAMPLES)
    taken: list[int] = []
    for round_ in job.plan.rounds():
        for shard in range(round_.shards):
            steps = steps_of(job, round_, shard)
            assert (steps.examples.dtype, len(steps.examples)) == (np.int32, steps.offsets[-1])
            taken += steps.examples.tolist()
    assert sorted(taken) == sorted(set(range(EXAMPLES)) - set(held_out))
