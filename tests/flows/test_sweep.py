"""What a sweep's flow hands on to its trials."""

from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import flows.sweep
from service.config import ClusterConfig
from service.home import Home
from service.search.sweep import Sweep
from tests.jobs import blobs_store, small


@pytest.mark.parametrize("halving", [0, 2])
def test_every_trial_keeps_to_the_memory_for_images_that_the_command_was_given(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, halving: int
):
    blobs_store(home, tmp_path / "idx")
    seen: list[dict[str, Any]] = []
    runner = SimpleNamespace(submit=lambda _task, given: seen.append(given))
    monkeypatch.setattr(flows.sweep, "ingest_flow", lambda _dataset: None)
    monkeypatch.setattr(flows.sweep, "worker_logs", nullcontext)
    monkeypatch.setattr(flows.sweep, "open_cluster", lambda *_, **__: nullcontext(SimpleNamespace(address="tcp://x:1")))
    monkeypatch.setattr(flows.sweep, "_runner", lambda _parallel: nullcontext(runner))
    monkeypatch.setattr(flows.sweep, "_all_steps", lambda _sweep, _folder, submit, _parallel: submit((1, 1)))
    monkeypatch.setattr(flows.sweep, "show_sweep_report", lambda *_: None)
    sweep = Sweep(base=small(holdout=60), over={"seed": [0, 1]}, halving=halving)
    assert flows.sweep.sweep_flow.fn(sweep, "bounded", 2, ClusterConfig(data_memory=300)) == []
    (given,) = seen
    assert (given["data_memory"], given["trial"].number) == (300, 1)
