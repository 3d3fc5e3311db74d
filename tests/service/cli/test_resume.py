"""`atelier runs resume`: what is refused before anything is shown or started."""

import pytest

from service.cli import command
from service.config import TrainConfig
from service.home import Home
from service.runs import RoundLog, RunFolder
from tests.service.cli.test_wrong_use import NOTHING_RUNS


def test_a_run_that_another_process_works_on_is_refused_before_its_log_is_shown(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = RunFolder.create(home.runs, "busy", TrainConfig(), None)
    with folder.held() as lease, RoundLog(folder.log, before_write=lease.check) as log:
        log.append("plateau", epoch=0, why="shown to whoever follows the run")
        for words in (["runs", "resume", "busy"], ["train", "--resume", "busy"]):
            with pytest.raises(SystemExit) as left:
                command(NOTHING_RUNS, words)
            told = capsys.readouterr()
            assert (left.value.code, told.out, told.err.count("\n")) == (1, "", 1)
            assert "run busy is being worked on by another process" in told.err
