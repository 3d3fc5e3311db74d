"""What a run that is resumed has to find as it was."""

import json
from pathlib import Path
from typing import Any

import pytest

from service.config import from_preset
from service.errors import ClusterError
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.training.resume import resume_run
from service.training.start import create_run, start_run
from tests.jobs import blobs_store, small


def rewrite(folder: RunFolder, **facts: Any) -> None:
    """Change what a run's configuration file says; None removes it."""
    content = {name: value for name, value in (folder.facts() | facts).items() if value is not None}
    (folder.path / "config.json").write_text(json.dumps(content))


def test_a_run_needs_no_cluster_to_be_started_and_resumed(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    whole = start_run(home, SerialExecutor(), "whole", from_preset(small()), lambda _: None)
    create_run(home, SerialExecutor(), from_preset(small()), "begun")
    resumed = resume_run(home, SerialExecutor(), "begun", lambda _: None)
    assert (resumed.digest, resumed.workers) == (whole.digest, 1)


def test_a_run_that_was_computed_by_something_else_says_so_before_its_first_round(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    folder, job = create_run(home, SerialExecutor(), from_preset(small()), "run")
    assert job.fingerprint is not None
    rewrite(folder, fingerprint=folder.facts()["fingerprint"] | {"libraries": "NumPy 1.0"})
    with pytest.raises(ClusterError, match=r"the run was computed by array on .*, NumPy 1\.0; this process is array"):
        resume_run(home, SerialExecutor(), "run", lambda _: None)
    assert list(folder.entries()) == []


def test_a_run_of_a_version_without_fingerprints_is_resumed(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx")
    whole = start_run(home, SerialExecutor(), "whole", from_preset(small()), lambda _: None)
    folder, _ = create_run(home, SerialExecutor(), from_preset(small()), "old")
    rewrite(folder, fingerprint=None)
    assert resume_run(home, SerialExecutor(), "old", lambda _: None).digest == whole.digest
