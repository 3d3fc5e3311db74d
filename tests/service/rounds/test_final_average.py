"""A run may end with the plain mean of its last round."""

from pathlib import Path

import numpy as np

from service.home import Home
from service.rounds.plan import Round
from tests.jobs import serial_results, small_job

OUTER = {"outer_momentum": 0.8, "solo_share": 0.2}


def test_a_run_that_ends_plainly_differs_in_its_last_average_alone(home: Home, tmp_path: Path):
    usual = list(serial_results(small_job(home, tmp_path / "idx", averaging=OUTER)))
    plain = list(serial_results(small_job(home, tmp_path / "idx", averaging=OUTER | {"final_average": "plain"})))
    assert [one.digest for one in plain[:-1]] == [one.digest for one in usual[:-1]]
    last, ahead = plain[-1].state, usual[-1].state
    assert last is not None
    assert ahead is not None
    moved = np.abs(last.replica.theta - ahead.replica.theta).max()
    assert moved > 1e-3
    # DiLoCo adds momentum * outer to the mean; one rounding of the outer velocity, one of the parameters
    behind = ahead.replica.theta - np.float64(0.8) * ahead.outer
    np.testing.assert_allclose(last.replica.theta, behind, rtol=2e-7, atol=1e-7)


def test_the_last_round_is_the_one_that_ends_the_last_epoch(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx", averaging=OUTER | {"final_average": "plain"})
    rounds = list(job.plan.rounds())
    assert [round_ for round_ in rounds if job.plan.is_last(round_)] == rounds[-1:]
    assert [job.averages_plainly(round_) for round_ in rounds] == [
        round_.solo or round_ is rounds[-1] for round_ in rounds
    ]
    usual = small_job(home, tmp_path / "again", averaging=OUTER)
    assert not usual.averages_plainly(rounds[-1])
    assert usual.averages_plainly(Round(0, 0, 0, 1, 1, solo=True))
