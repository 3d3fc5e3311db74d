"""The race to an accuracy."""

from itertools import pairwise
from pathlib import Path

import pytest

from service.bench.accuracy import AccuracyReport, contender, render
from service.config import from_preset
from service.data import ingest
from service.home import Home
from tests.jobs import blobs_store, small


def test_a_contender_is_timed_at_the_first_epoch_that_reaches_the_target():
    found = contender("one", [[(1.0, 0.5), (2.0, 0.91), (3.0, 0.89), (4.0, 0.92)]], 0.9)
    assert (found.seconds, found.total_s, found.accuracy, found.reached) == (2.0, 4.0, 0.92, 1)


def test_trainings_that_never_reach_it_count_as_the_slowest():
    near, far = [(1.0, 0.9), (2.0, 0.9)], [(1.0, 0.1), (2.0, 0.2)]
    assert contender("most", [near, far, near], 0.9).seconds == 1.0
    assert contender("half", [near, far], 0.9).seconds is None
    assert contender("none", [far], 0.9).reached == 0


def test_a_contender_that_never_gets_there_is_said_so():
    never = contender("torch_eager", [[(1.0, 0.2)]], 0.9)
    text = render(AccuracyReport("mlp", 0.9, 1, 1, (never,), None))
    assert "never" in text
    assert "times as fast" not in text


def test_the_peer_learns_by_the_same_recipe(home: Home, tmp_path: Path):
    pytest.importorskip("torch", reason="PyTorch is a peer to compare with, not a dependency")
    from service.bench.torch_race import Race

    blobs_store(home, tmp_path / "idx", train=600)
    config = from_preset(small(epochs=4, optimizer={"momentum": 0.9, "schedule": "one-cycle"}, augment={"flip": True}))
    schedule = Race(ingest(home, dataset="blobs"), config).run("eager", seed=0)
    assert len(schedule) == 4
    assert all(0 < early[0] < late[0] for early, late in pairwise(schedule))
    assert schedule[-1][1] > 0.8
