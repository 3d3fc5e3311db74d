"""Every example of docs/extending.md does what the page says."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from service.home import Home
from service.rounds.strategies import names
from service.rounds.tasks import shard_updates
from service.runs import Checkpoint, checkpoints
from tests.jobs import serial_results, small_job
from tests.packages import install

PAGE = (Path(__file__).parents[2] / "docs" / "extending.md").read_text()


def examples(title: str, language: str) -> list[str]:
    """The code blocks in one language in the section of that title."""
    (section,) = re.findall(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)


def test_a_strategy_takes_one_file(home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (source,), (project,) = (examples("A strategy of averaging", language) for language in ("python", "toml"))
    (group,) = tomllib.loads(project)["project"]["entry-points"]
    install(tmp_path, monkeypatch, "fedadam", source, {group: {"fedadam": "fedadam:from_config"}})
    assert "fedadam" in names()

    job = small_job(home, tmp_path / "idx", averaging={"strategy": "fedadam", "outer_lr": 0.05}, epochs=1)
    state = job.initial_state()
    theta = state.replica.theta.astype(np.float64)
    m = v = np.zeros_like(theta)
    results = list(serial_results(job))
    assert len(results) == 3
    for result in results:
        updates = shard_updates(job, result.round, range(3), state)
        mean = np.average([u.replica.theta for u in updates], axis=0, weights=[u.stats.examples for u in updates])
        m, v = 0.9 * m + 0.1 * (mean - theta), 0.99 * v + 0.01 * (mean - theta) ** 2
        theta = theta + 0.05 * m / (np.sqrt(v) + 1e-3)
        assert result.state is not None
        # one rounding to float32 of the parameters, and of m and v, after each round
        np.testing.assert_allclose(result.state.replica.theta, theta, rtol=1e-5, atol=1e-6)
        state = result.state
        theta = state.replica.theta.astype(np.float64)

    checkpoints.write(tmp_path / "checkpoints", Checkpoint(results[-1].round, 300, state))
    number = str(results[-1].round.number + 1)
    np.testing.assert_array_equal(checkpoints.read(tmp_path / "checkpoints" / number).state.outer, state.outer)
