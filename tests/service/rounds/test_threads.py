"""What threads of one process do beside one another; that the bits are those of single shards is in `test_spans`."""

from pathlib import Path
from threading import Event
from typing import Any

import pytest

from service.errors import DataError
from service.home import Home
from service.rounds import threads
from service.rounds.schedule import RoundSchedule
from service.rounds.tasks import RoundResult
from service.rounds.threads import rounds_on_threads
from service.rounds.worker_cache import process_cache
from tests.jobs import small_job

PATIENCE_S = 60.0


def results_of(job: Any, rounds: int) -> list[RoundResult]:
    schedule = RoundSchedule(job.plan)
    return list(rounds_on_threads(job, job.initial_state(), job.plan.first_round(), schedule, rounds, "", 2))


def test_the_next_round_begins_before_the_last_one_is_measured(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = small_job(home, tmp_path / "idx")
    begun = [Event() for _ in range(4)]
    shard_update, result_of = threads._shard_update, threads.result_of

    def noted(job: Any, round_: Any, *rest: Any) -> Any:
        begun[round_.number].set()
        return shard_update(job, round_, *rest)

    def after_the_next(job: Any, round_: Any, *rest: Any, **options: Any) -> Any:
        if round_.number < 2:
            assert begun[round_.number + 1].wait(PATIENCE_S)
        return result_of(job, round_, *rest, **options)

    monkeypatch.setattr(threads, "_shard_update", noted)
    monkeypatch.setattr(threads, "result_of", after_the_next)
    assert [result.round.number for result in results_of(job, 3)] == [0, 1, 2]
    assert not begun[3].is_set()  # that one belongs to the next span


def test_the_steps_of_the_round_after_the_last_one_are_looked_up_already(home: Home, tmp_path: Path) -> None:
    job = small_job(home, tmp_path / "idx")
    done = results_of(job, 2)
    following = job.plan.round_after(done[-1].round)
    assert following is not None
    kept = process_cache().steps.get((job.config, job.data.path, job.data.digest, following), list)
    assert [len(steps) for steps in kept] == [following.last - following.first] * following.shards


def test_what_a_shard_raises_comes_through(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    job = small_job(home, tmp_path / "idx")

    def broken(job: Any, round_: Any, shard: int) -> Any:
        raise DataError("a chunk is damaged")

    monkeypatch.setattr(threads, "steps_of", broken)
    process_cache().steps = type(process_cache().steps)(2)
    with pytest.raises(DataError, match="a chunk is damaged"):
        results_of(job, 2)
