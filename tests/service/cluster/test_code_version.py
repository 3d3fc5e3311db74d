"""Workers with another version of the package are named, and get no tasks where they can't load them."""

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from time import sleep

import pytest

from service.cluster.code_version import code_version
from service.cluster.dask_executor import DaskExecutor
from service.cluster.local_cluster import open_cluster
from service.config import ClusterConfig, from_preset
from service.home import Home
from service.training.history import final_checkpoint
from service.training.loop import advance
from service.training.start import create_run
from tests.clusters import until, worker_process
from tests.commands import ROOT
from tests.jobs import serial_results, small, small_job

ONE = ClusterConfig(workers=1, worker_type="processes")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """The package once more, for another version to be made of it."""
    for package in ("ops", "service"):
        shutil.copytree(ROOT / package, tmp_path / "copy" / package, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "copy"


def version_of(copy: Path) -> str:
    """The version that another process has, which runs the package in a folder."""
    code = "from service.cluster.code_version import code_version; print(code_version())"
    environment = os.environ | {"PYTHONPATH": str(copy)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=copy, env=environment, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("changed", ["ops/network.py", "service/rounds/plan.py", "ops/engines/cuda/step.cu"])
def test_the_version_is_that_of_every_process_with_the_same_sources_and_of_no_other(copy: Path, changed: str):
    assert code_version().startswith("0.1.0, code ")
    assert version_of(copy) == code_version()
    with (copy / changed).open("a") as file:
        file.write("\n")
    assert version_of(copy) != code_version()


@pytest.mark.parametrize("lacks", ["nothing", "a module"])
def test_a_worker_with_another_version_is_named(home: Home, tmp_path: Path, copy: Path, lacks: str) -> None:
    if lacks == "nothing":
        changed = copy / "ops" / "errors.py"
        changed.write_text(changed.read_text() + "# another version\n")
    else:
        (copy / "service" / "cluster" / "engine_choice.py").unlink()
    job = small_job(home, tmp_path / "idx", epochs=4)
    *_, alone = serial_results(job)
    with open_cluster(ONE) as cluster:
        first = set(cluster.workers)
        with worker_process(cluster.address, PYTHONPATH=str(copy), PYTHONSAFEPATH="1"):
            until(lambda: len(cluster.workers) == 2)
            executor = DaskExecutor(cluster)
            folder, job = create_run(home, executor, from_preset(small(epochs=4)), "run")
            entries = list(advance(executor, folder, job))
            (other,) = set(cluster.workers) - first
            # On a busy machine a round may be disturbed by its slowness too.
            told = "another version" if lacks == "nothing" else "can't load"
            (named,) = [entry["why"] for entry in entries if told in entry.get("why", "")]
            assert executor.num_workers == (2 if lacks == "nothing" else 1)
    if lacks == "nothing":
        assert named.startswith(f"worker {other} runs another version of Atelier (0.1.0, code ")
        assert f"; this process has {code_version()}): start it with the same one" in named
    else:
        assert named.startswith(f"worker {other} gets no tasks: it can't load them (ModuleNotFoundError(")
    assert final_checkpoint(folder).state.digest == alone.digest


@pytest.mark.slow
def test_a_worker_with_another_version_that_joins_in_mid_run_is_named(home: Home, tmp_path: Path, copy: Path) -> None:
    changed = copy / "ops" / "errors.py"
    changed.write_text(changed.read_text() + "# another version\n")
    job = small_job(home, tmp_path / "idx", epochs=40)
    *_, alone = serial_results(job)
    with open_cluster(ONE) as cluster, ExitStack() as stack:
        executor = DaskExecutor(cluster)
        folder, job = create_run(home, executor, from_preset(small(epochs=40)), "run")
        named = ""
        for entry in advance(executor, folder, job):
            if entry["kind"] == "round" and entry["round"] == 1:
                first = set(cluster.workers)
                stack.enter_context(worker_process(cluster.address, PYTHONPATH=str(copy), PYTHONSAFEPATH="1"))
                until(lambda: len(cluster.workers) == 2)
                (other,) = set(cluster.workers) - first
            if entry["kind"] == "disturbed" and "another version" in entry["why"]:
                named = entry["why"]
            if entry["kind"] == "round" and entry["round"] > 1 and not named:
                sleep(1)  # the newcomer has much to load; a run of 40 rounds waits for it long enough
    assert named.startswith(f"worker {other} runs another version of Atelier")
    assert final_checkpoint(folder).state.digest == alone.digest
