"""Successive halving: who goes on is a function of the figures, and pausing a trial changes none of its bits."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.config import TrainConfig
from service.data import ingest
from service.errors import InvalidInput
from service.home import Home
from service.rounds.job import Job
from service.rounds.serial_executor import SerialExecutor
from service.search.sweep import Result, Sweep, SweepFolder, results_table, run_rung
from service.search.sweep.halving import promoted, rungs
from service.training.epoch_scores import score_epoch
from service.training.resume import resume_run
from tests.jobs import choose_for, serial_results
from tests.service.training.noisy import noisy_store, overfitting


def test_rungs_grow_by_the_factor_up_to_the_end():
    assert rungs(27, 1, 3) == [1, 3, 9, 27]
    assert rungs(10, 2, 2) == [2, 4, 8, 10]
    assert rungs(3, 5, 2) == [3]


@given(st.dictionaries(st.integers(0, 50), st.integers(0, 5), min_size=1), st.integers(2, 5))
def test_one_of_so_many_goes_on_and_none_that_is_left_is_better(merits: dict[int, int], factor: int):
    on = promoted(merits, factor)
    assert len(on) == max(1, len(merits) // factor)
    assert on == sorted(set(on) & set(merits))
    left = merits.keys() - set(on)
    assert all((-merits[a], a) < (-merits[b], b) for a in on for b in left)


@pytest.fixture
def sweep(home: Home, tmp_path: Path) -> Sweep:
    noisy_store(home, tmp_path / "idx")
    base = overfitting(epochs=4).model_dump(mode="json")
    return Sweep(base=base, over={"optimizer.lr": [0.001, 0.05, 0.5, 20.0]}, halving=2)


def rungs_of(sweep: Sweep) -> list[int]:
    """After how many epochs the trials of the one bracket are compared."""
    (bracket,) = sweep.brackets()
    return list(bracket.rungs)


def halve(home: Home, sweep: Sweep, name: str, address: str, parallel: int, rungs: list[int]) -> dict[int, Result]:
    """What the flow does, as far as some rungs."""
    folder, trials = SweepFolder.begin(home.sweeps / name, sweep), sweep.plan()
    for epochs in rungs:
        with ThreadPoolExecutor(parallel) as pool:
            found = pool.map(lambda t, e=epochs: run_rung(home, address, folder, t, e, Event()), trials)
            merits = {result.trial: (result.rungs or {})[str(epochs)] for result in found}
        trials = [trial for trial in trials if trial.number in promoted(merits, 2)]
    return folder.results()


def accuracies(home: Home, config: TrainConfig) -> list[tuple[float, str]]:
    """Accuracy on held-out examples and digest after each epoch of a training that nobody pauses."""
    job = Job(config, ingest(home, dataset="blobs"), choose_for(config))
    found = []
    for result in serial_results(job):
        if job.plan.ends_epoch(result.round) and result.state:
            held = score_epoch(job, result.state.replica.theta).validation
            found.append((held.accuracy if held else 0.0, result.digest))
    return found


def test_the_trials_that_go_on_are_those_with_the_best_figures(home: Home, sweep: Sweep, cluster_of):
    whole = [accuracies(home, trial.config) for trial in sweep.plan()]
    second = promoted({n: whole[n][0][0] for n in range(4)}, 2)
    (last,) = promoted({n: whole[n][1][0] for n in second}, 2)
    results = halve(home, sweep, "all", cluster_of(2).address, 4, rungs_of(sweep))
    assert {n: result.epochs for n, result in results.items()} == {
        n: 4 if n == last else 2 if n in second else 1 for n in range(4)
    }
    for number, result in results.items():
        assert (result.merit, result.digest) == whole[number][(result.epochs or 0) - 1]
    assert [row["epochs"] for row in results_table(results.values())] == [4, 2, 1, 1]


def test_a_sweep_that_was_stopped_goes_on_to_the_same_results(home: Home, sweep: Sweep, cluster_of):
    address = cluster_of(2).address
    whole = halve(home, sweep, "whole", address, 4, rungs_of(sweep))
    halve(home, sweep, "parts", address, 1, rungs_of(sweep)[:2])
    parts = halve(home, sweep, "parts", address, 2, rungs_of(sweep))
    assert [(r.digest, r.rungs) for r in parts.values()] == [(r.digest, r.rungs) for r in whole.values()]


def test_a_trial_that_was_left_behind_can_be_trained_to_its_end(home: Home, sweep: Sweep, cluster_of):
    results = halve(home, sweep, "all", cluster_of(2).address, 4, [1])
    digests = accuracies(home, sweep.plan()[0].config)
    assert resume_run(home, SerialExecutor(), results[0].run, lambda entry: None).digest == digests[-1][1]


def test_a_sweep_from_before_there_was_halving_is_continued(home: Home):
    plain = Sweep(over={"seed": [1, 2]})
    folder = SweepFolder.begin(home.sweeps / "old", plain)
    assert "halving" not in (folder.path / "sweep.json").read_text()
    SweepFolder.begin(home.sweeps / "old", plain)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"halving": 1, "base": {"holdout": 9}}, "at least 2"),
        ({"halving": 3}, "holdout must be at least 1"),
        ({"halving": 3, "base": {"holdout": 9}, "over": {"epochs": [1, 2]}}, "epochs must be the same"),
        ({"hyperband": True}, "hyperband needs halving"),
        ({"asynchronous": True, "base": {"holdout": 9}}, "asynchronous needs halving"),
        ({"hyperband": True, "halving": 2, "trials": 2, "base": {"holdout": 9}}, "trials must be at least 5"),
    ],
)
def test_what_cannot_be_halved_is_refused(given: dict, message: str):
    with pytest.raises(InvalidInput, match=message):
        Sweep(**{"over": {"seed": [1, 2]}} | given).plan()
