"""Wrong use and failures: one line that says what is wrong, the right exit status, never a traceback."""

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from service.cli import Pipelines, command
from service.home import Home
from tests.commands import ROOT, atelier, start
from tests.jobs import blobs_store


def _fail(*args: object) -> None:
    pytest.fail("nothing may be started")


NOTHING_RUNS = Pipelines(
    ingest=_fail, train=_fail, resume=_fail, evaluate=_fail, sweep=_fail, study=_fail, deploy=_fail
)

WRONG = {
    "unknown option": (["train", "--epoks", "3"], "No such option", 2),
    "unknown command": (["trian"], "No such command", 2),
    "a study of no seed": (["study", "--seeds", "0"], "--seeds", 2),
    "a study of data with no name": (["study", "--dataset", "../x"], "dataset", 2),
    "a study with a bad id": (["study", "--id", "../x"], "--id must be lower-case letters, digits and dashes", 2),
    "a study with a long id": (["study", "--id", "x" * 33], "--id must be lower-case letters, digits and dashes", 2),
    "zero epochs": (["train", "--epochs", "0"], "--epochs must be greater than or equal to 1, got 0", 2),
    "epochs no number": (["train", "--epochs", "many"], "not a valid integer", 2),
    "negative rate": (["train", "--lr", "-0.5"], "--lr must be greater than or equal to", 2),
    "rate not a number": (["train", "--lr", "nan"], "--lr must be a finite number", 2),
    "momentum of one": (["train", "--momentum", "1"], "--momentum must be less than or equal to 0.999", 2),
    "no shards": (["train", "--shards", "0"], "--shards must be greater than or equal to 1", 2),
    "unknown model": (["train", "--model", "resnet"], "--model must be 'lenet', 'lenet-relu', ", 2),
    "bad name": (["train", "--name", "../x"], "--name must match pattern", 2),
    "bad scheduler": (["train", "--scheduler", "nowhere"], "--scheduler must match pattern", 2),
    "resume with options": (["train", "--resume", "x", "--epochs", "3"], "leave out --epochs", 2),
    "sweep over nothing": (["sweep"], "Missing option '--over'", 2),
    "sweep over no option": (["sweep", "--over", "speed=1,2"], "--over must be OPTION=VALUES", 2),
    "sweep without values": (["sweep", "--over", "lr"], "--over must be OPTION=VALUES", 2),
    "sweep out of bounds": (["sweep", "--over", "shards=0,1"], "atelier: shards must be greater than or equal", 2),
    "sweep of no sizes": (["sweep", "--over", "batch-size=[]"], "atelier: batch-size must be", 2),
    "sweep over a list of networks": (["sweep", "--over", "model=[1]"], "model must be 'lenet'", 2),
    "sweep over no network": (["sweep", "--over", "model={}"], "model must be 'lenet'", 2),
    "sweep of half a range": (["sweep", "--over", "lr=0.1..", "--trials", "2"], "--over takes numbers", 2),
    "sweep over an unknown strategy": (["sweep", "--over", "strategy=fedavg,none"], "strategy must be one of", 2),
    "an unknown strategy": (["train", "--strategy", "none"], "strategy must be one of adacomm, composed", 2),
    "an option of another strategy": (
        ["train", "--strategy", "fedavg", "--outer-momentum", "0.5", "--solo-share", "0"],
        "--strategy fedavg has no use for --solo-share, --outer-momentum",
        2,
    ),
    "sweep of a range": (["sweep", "--over", "lr=0.1..1"], "atelier: lr is a range: say with trials how many draws", 2),
    "sweep of an odd range": (["sweep", "--over", "lr=0.1..1:cube", "--trials", "2"], "LOW..HIGH:log", 2),
    "sweep of an empty range": (["sweep", "--over", "lr=1..1", "--trials", "2"], "atelier: lr must be a range", 2),
    "sweep from zero by log": (["sweep", "--over", "lr=0..1:log", "--trials", "2"], "0 < low < high", 2),
    "sweep with a bad id": (["sweep", "--over", "seed=1", "--id", "../x"], "--id must", 2),
    "unknown run": (["runs", "show", "nope"], "there is no run 'nope'", 1),
    "run outside": (["runs", "show", "../../etc"], "there is no run", 1),
    "cancel unknown run": (["runs", "cancel", "nope"], "there is no run 'nope'", 1),
    "unknown model version": (["models", "show", "lenet:7"], "there is no version '7' of model 'lenet'", 1),
    "model outside": (["models", "show", "../x"], "a model's name must match", 2),
    "predict without model": (["predict", "lenet", "x.png"], "there is no version 'champion' of model 'lenet'", 1),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_use_is_told_in_one_line(home: Home, capsys, case: str):
    words, message, status = WRONG[case]
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, words)
    told = capsys.readouterr()
    assert (left.value.code, told.out) == (status, "")
    assert message in told.err
    assert told.err.count("\n") == 1, told.err


LATER = {
    "more shards than examples": (["--shards", "301"], "shards must be at most the number of examples, 300", 2),
    "images too small": (["--model", "alexnet", "--resize", "0"], "must fit in the padded input", 2),
    "unreachable scheduler": (["--scheduler", "tcp://127.0.0.1:9"], "no Dask scheduler answers", 1),
    "engine without a GPU": (["--device", "cuda"], "no GPU can be used here", 2),
    "unknown engine": (["--engine", "fast"], "engine must be one of array, cuda, simd, got 'fast'", 2),
    "engine and device at odds": (["--engine", "simd", "--device", "cuda"], "runs on the CPU", 2),
    "data set not there": (["--dataset", "kmnist"], "bring it in with `atelier ingest", 2),
    "unknown run": (["--resume", "nope"], "there is no run 'nope'", 1),
}


@pytest.fixture(scope="module")
def with_blobs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("cli")
    blobs_store(Home(folder / "home"), folder / "idx")
    return folder / "home"


@pytest.mark.parametrize("case", LATER)
def test_what_only_shows_later_is_told_in_one_line_too(
    with_blobs: Path, monkeypatch: pytest.MonkeyPatch, capsys, case: str
):
    words, message, status = LATER[case]
    dataset = [] if "--dataset" in words or "--resume" in words else ["--dataset", "blobs"]
    monkeypatch.setenv("ATELIER_HOME", str(with_blobs))
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, ["train", *dataset, *words])
    told = capsys.readouterr()
    assert (left.value.code, told.out) == (status, "")
    assert message in told.err
    assert told.err.count("\n") == 1, told.err


def nothing_was_started(home: Path) -> bool:
    """Whether no server wrote anything. A slow machine may have imported Prefect meanwhile, which makes the folder."""
    return not list(home.glob("prefect/*"))


def test_a_process_of_its_own_tells_it_before_it_starts_anything(with_blobs: Path):
    done = atelier("train", "--dataset", "blobs", "--shards", "301", home=with_blobs)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), done.stderr
    assert nothing_was_started(with_blobs)


def test_too_little_address_space_is_told_before_anything_is_started(with_blobs: Path):
    words = f"ulimit -v 1000000; exec {sys.executable} -m flows train --dataset blobs"
    own = {"ATELIER_HOME": str(with_blobs), "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(["bash", "-c", words], env={**os.environ, **own}, capture_output=True, text=True, timeout=240)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1), done.stderr
    assert "a process may take 1,024 MB of address space (`ulimit -v`), and a training needs" in done.stderr
    assert nothing_was_started(with_blobs)


def test_a_home_that_cannot_be_written_is_told(tmp_path: Path):
    (tmp_path / "home").write_text("a file is in the way")
    done = atelier("ingest", home=tmp_path / "home")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "set ATELIER_HOME to another folder" in done.stderr


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_home_is_told(tmp_path: Path):
    home = tmp_path / "home"
    home.mkdir(mode=0o555)
    done = atelier("ingest", home=home)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "can't write to" in done.stderr


@pytest.mark.parametrize("asked", ["{", "[]", "{}", '{"config": {"epochs": -1}}'])
def test_a_damaged_run_is_told_and_hides_no_other(home: Home, capsys, asked: str):
    (home.runs / "spoiled").mkdir(parents=True)
    (home.runs / "spoiled" / "config.json").write_text(asked)
    for words, status in ((["runs", "show", "spoiled"], 1), (["runs", "list"], None)):
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, words)
        assert left.value.code == status
    told = capsys.readouterr()
    assert "config.json is damaged" in told.err
    assert told.err.count("\n") == 1, told.err
    assert told.out.splitlines()[1].split()[:2] == ["spoiled", "damaged"]


@pytest.mark.parametrize("config", ["missing", "a folder"])
def test_a_run_whose_configuration_cannot_be_read_is_listed_and_can_be_deleted(home: Home, capsys, config: str):
    folder = home.runs / "bare"
    (folder / "checkpoints").mkdir(parents=True)
    if config == "a folder":
        (folder / "config.json").mkdir()
    outcomes = []
    for words in (["runs", "list"], ["runs", "show", "bare"], ["runs", "delete", "bare"]):
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, words)
        outcomes.append((left.value.code, capsys.readouterr()))
    (_, listed), (status, shown), (_, deleted) = outcomes
    assert listed.out.splitlines()[1].split()[:2] == ["bare", "damaged"]
    assert (status, shown.err.count("\n")) == (1, 1)
    assert "config.json can't be read: " in shown.err
    assert deleted.out.startswith("run bare is deleted")
    assert not folder.exists()


NOT_UTF8 = "\udcff"
"""How Python holds the byte 0xFF of a file's name, which no UTF-8 has."""


@pytest.mark.parametrize("words", [["ingest", "--source", NOT_UTF8], ["train", "--init", NOT_UTF8]])
def test_a_name_that_is_no_text_is_told(home: Home, capsys, words: list[str]):
    with pytest.raises(SystemExit) as left:
        command(NOTHING_RUNS, words)
    told = capsys.readouterr()
    assert (left.value.code, told.err.count("\n")) == (2, 1), told.err
    assert "must be text in UTF-8" in told.err


def test_so_is_a_home_whose_name_is_no_text(tmp_path: Path):
    done = atelier("runs", "list", home=tmp_path / NOT_UTF8)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1), done.stderr
    assert "must be text in UTF-8" in done.stderr


def test_the_c_locale_holds_nothing_up(tmp_path: Path):
    bare = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    done = atelier("bench", "scaling", "--help", home=tmp_path, **bare)
    assert (done.returncode, done.stderr) == (0, "")
    assert "1, 2, …, cores" in done.stdout
    named = atelier("train", "--init", "ü.safetensors", home=tmp_path, **bare)
    assert (named.returncode, named.stderr.count("\n")) == (2, 1), named.stderr
    assert "with PYTHONUTF8=1 as UTF-8" in named.stderr


def test_too_little_memory_is_told_in_one_line(home: Home, capsys):
    def allocate(*_: object) -> None:
        raise MemoryError("Unable to allocate 3.00 TiB")

    with pytest.raises(SystemExit) as left:
        command(replace(NOTHING_RUNS, ingest=allocate), ["ingest"])
    assert (left.value.code, capsys.readouterr().err) == (
        1,
        "atelier: there is not enough memory: Unable to allocate 3.00 TiB\n",
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ((errno.EMFILE, "Too many open files", "/x/checkpoints"), "too many files are open: raise the limit"),
        ((errno.ENOSPC, "No space left on device", "/x/y"), "/x/y can't be read or written: No space left on device"),
    ],
)
def test_what_the_system_refuses_is_told_in_one_line(home: Home, capsys, arguments: tuple[int, str, str], line: str):
    def refuse(*_: object) -> None:
        raise OSError(*arguments)

    with pytest.raises(SystemExit) as left:
        command(replace(NOTHING_RUNS, ingest=refuse), ["ingest"])
    told = capsys.readouterr().err
    assert (left.value.code, told.count("\n")) == (1, 1)
    assert told.startswith(f"atelier: {line}")


def test_too_little_memory_behind_another_error_is_told_as_such(home: Home, capsys):
    def fail(*_: object) -> None:
        try:
            raise RuntimeError("can't start new thread")
        except RuntimeError as error:
            raise RuntimeError("Cluster failed to start") from error

    with pytest.raises(SystemExit) as left:
        command(replace(NOTHING_RUNS, ingest=fail), ["ingest"])
    assert (left.value.code, capsys.readouterr().err) == (
        1,
        "atelier: there is not enough memory: can't start new thread\n",
    )


def test_an_error_of_our_own_is_no_matter_of_the_system(home: Home):
    def fail(*_: object) -> None:
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        command(replace(NOTHING_RUNS, ingest=fail), ["ingest"])


@pytest.mark.parametrize("words", ["models list", "--help"])
def test_an_output_that_is_full_is_told_in_one_line(tmp_path: Path, words: str):
    script = f"{sys.executable} -m flows {words} > /dev/full"
    environment = {**os.environ, "ATELIER_HOME": str(tmp_path)}
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (
        1,
        "atelier: the output can't be read or written: No space left on device\n",
    )


def test_an_interruption_is_one_line(home: Home, capsys):
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(SystemExit) as left:
        command(replace(NOTHING_RUNS, ingest=interrupt), ["ingest"])
    assert (left.value.code, capsys.readouterr().err) == (130, "atelier: interrupted\n")


def test_a_reader_that_has_had_enough_is_no_failure_to_talk_about(tmp_path: Path):
    process = start("bench", "scaling", "--help", home=tmp_path)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert (process.stderr.read(), process.wait(240)) == ("", 1)
    process.stderr.close()
