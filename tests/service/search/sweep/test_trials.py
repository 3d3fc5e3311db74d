"""Trials that share a cluster, on disk."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import pytest

from service.config import TrainConfig
from service.errors import Conflict, SweepError
from service.home import Home
from service.rounds.job import Job
from service.search.sweep import Result, Sweep, SweepFolder, as_text, results_table, run_rung, run_trial
from service.search.sweep import trial as trial_module
from tests.jobs import SMALL, choose_for, serial_results, small, small_job


def sweep() -> Sweep:
    return Sweep(base=SMALL, over={"seed": [0, 1, 2], "averaging.shards": [1, 3]})


def alone(job: Job, config: TrainConfig) -> str:
    """The digest that a training ends with in one process."""
    job = Job(config, job.data, choose_for(config))
    *_, last = serial_results(job)
    return last.digest


def test_trials_side_by_side_end_in_the_bits_of_each_alone(home: Home, tmp_path: Path, cluster_of):
    job = small_job(home, tmp_path / "idx")
    folder = SweepFolder.begin(home.sweeps / "six", sweep())
    with ThreadPoolExecutor(6) as pool:
        trials = sweep().plan()
        address = cluster_of(2).address
        results = list(pool.map(lambda trial: run_trial(home, address, folder, trial, Event()), trials))
    assert [result.digest for result in results] == [alone(job, trial.config) for trial in trials]
    assert folder.results() == dict(enumerate(results))


def test_a_stopped_trial_is_continued_to_the_same_bits(home: Home, tmp_path: Path, cluster_of):
    job = small_job(home, tmp_path / "idx")
    trial, stop = sweep().plan()[1], Event()
    folder = SweepFolder.begin(home.sweeps / "one", sweep())

    class AfterTwoLooks(Event):
        looks = 0

        def is_set(self) -> bool:
            self.looks += 1
            return self.looks > 3

    with pytest.raises(SweepError, match="was stopped"):
        run_trial(home, cluster_of(2).address, folder, trial, AfterTwoLooks())
    assert folder.results() == {}
    assert run_trial(home, cluster_of(2).address, folder, trial, stop).digest == alone(job, trial.config)


def test_trials_keep_to_the_memory_for_images_that_the_sweep_was_given(
    home: Home, tmp_path: Path, cluster_of, monkeypatch: pytest.MonkeyPatch
):
    small_job(home, tmp_path / "idx", holdout=60)
    halved = Sweep(base=small(holdout=60), over={"seed": [0, 1]}, halving=2)
    folder, seen = SweepFolder.begin(home.sweeps / "bounded", halved), list[int]()
    start_run = trial_module.start_run
    monkeypatch.setattr(
        trial_module, "start_run", lambda *given: seen.append(given[1].data_memory) or start_run(*given)
    )
    first, second = halved.plan()
    run_trial(home, cluster_of(2).address, folder, first, Event(), 7)
    run_rung(home, cluster_of(2).address, folder, second, 1, Event(), 8)
    assert seen == [7, 8]


def test_a_sweep_is_continued_under_its_name_unless_it_tries_something_else(home: Home):
    SweepFolder.begin(home.sweeps / "mine", sweep())
    assert SweepFolder.begin(home.sweeps / "mine", sweep()).results() == {}
    with pytest.raises(Conflict, match="sweep mine exists already"):
        SweepFolder.begin(home.sweeps / "mine", Sweep(over={"seed": [1]}))


def test_a_sweep_from_before_held_out_the_last_examples_and_goes_on_only_so(home: Home):
    folder = SweepFolder.begin(home.sweeps / "mine", Sweep(base={"holdout": 50}, over={"seed": [1]}))
    path = folder.path / "sweep.json"
    begun = json.loads(path.read_text())
    assert begun["base"].pop("holdout_by") == "stratified"
    path.write_text(json.dumps(begun))
    SweepFolder.begin(folder.path, Sweep(base={"holdout": 50, "holdout_by": "last"}, over={"seed": [1]}))
    with pytest.raises(Conflict, match="sweep mine exists already"):
        SweepFolder.begin(folder.path, Sweep(base={"holdout": 50}, over={"seed": [1]}))


def test_a_damaged_result_is_told_with_its_path(home: Home):
    folder = SweepFolder.begin(home.sweeps / "mine", sweep())
    (folder.path / "trials" / "0001.json").write_text('{"trial": 1')
    with pytest.raises(SweepError, match=r"0001\.json is damaged"):
        folder.results()


def test_the_table_has_the_best_first_and_a_column_for_every_change():
    results = [
        Result(n, f"r{n}", {"optimizer.lr": 0.1 * n}, "", 1.0, 0.5, 1.0, accuracy, 1000.0, 2.0)
        for n, accuracy in enumerate([0.7, 0.9, 0.8])
    ]
    rows = results_table(results)
    assert [row["run"] for row in rows] == ["r1", "r2", "r0"]
    head, *lines = as_text(rows).splitlines()
    assert head.split()[:2] == ["trial", "optimizer.lr"]
    assert [line.split()[:2] for line in lines] == [["1", "0.1"], ["2", "0.2"], ["0", "0.0"]]


def test_a_trial_takes_no_run_over_that_was_trained_otherwise(home: Home, tmp_path: Path, cluster_of):
    small_job(home, tmp_path / "idx")
    first, other = (Sweep(base=SMALL, over={"seed": [seed]}) for seed in (0, 1))
    folder = SweepFolder.begin(home.sweeps / "one", first)
    run_trial(home, cluster_of(2).address, folder, first.plan()[0], Event())
    with pytest.raises(Conflict, match="run one-0000 exists already, with another configuration than trial 0"):
        run_trial(home, cluster_of(2).address, folder, other.plan()[0], Event())


def test_the_last_rung_of_a_trial_is_written_down_once(
    home: Home, tmp_path: Path, cluster_of, monkeypatch: pytest.MonkeyPatch
):
    small_job(home, tmp_path / "idx", holdout=60)
    halved = Sweep(base=small(holdout=60), over={"seed": [0, 1]}, halving=2)
    folder, kept = SweepFolder.begin(home.sweeps / "once", halved), list[Result]()
    monkeypatch.setattr(SweepFolder, "keep", lambda self, result: kept.append(result))
    run_rung(home, cluster_of(2).address, folder, halved.plan()[0], 2, Event())
    assert [list(result.rungs or {}) for result in kept] == [["2"]]
