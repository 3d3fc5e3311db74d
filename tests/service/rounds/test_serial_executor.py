from pathlib import Path

import pytest

from ops.engines import Choice
from service.errors import ClusterError, InvalidInput
from service.home import Home
from service.rounds.executor import Executor
from service.rounds.schedule import RoundSchedule
from service.rounds.serial_executor import SerialExecutor
from tests.jobs import small_job

EXECUTOR: Executor = SerialExecutor()  # mypy holds it to the protocol


def test_rounds_can_be_continued_from_any_result(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    schedule = RoundSchedule(job.plan)
    whole = list(EXECUTOR.run_rounds(job, job.initial_state(), schedule.after(None), schedule))
    assert [result.round for result in whole] == list(job.plan.rounds())
    third = whole[2]
    again = RoundSchedule(job.plan)
    rest = list(EXECUTOR.run_rounds(job, third.state, again.after(third.round), again))
    assert [result.digest for result in rest] == [result.digest for result in whole[3:]]


def test_a_run_at_its_end_has_no_rounds_left(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    assert list(EXECUTOR.run_rounds(job, job.initial_state(), None, RoundSchedule(job.plan))) == []


def test_map_keeps_the_order_of_the_arguments():
    assert EXECUTOR.map(divmod, [(7, 2), (9, 4)]) == [(3, 1), (2, 1)]


def test_the_engine_is_chosen_on_this_machine(home: Home, tmp_path: Path):
    job = small_job(home, tmp_path / "idx")
    config, store = job.config, job.data.path
    assert EXECUTOR.choose_engine(config, job.network, job.step_config, store) == Choice("array", "cpu")
    impossible = config.model_copy(update={"engine": "simd", "device": "cuda"})
    with pytest.raises(InvalidInput, match="simd"):
        EXECUTOR.choose_engine(impossible, job.network, job.step_config, store)
    with pytest.raises(ClusterError, match="can't see"):
        EXECUTOR.choose_engine(config, job.network, job.step_config, tmp_path / "nowhere")
