"""Event files, read by TensorBoard itself."""

from pathlib import Path

import pytest

from service.home import Home
from service.tracking import tensorboard
from service.tracking.base import TrackedRun
from service.tracking.feed import Feed
from service.tracking.figures import figures_of
from tests.service.tracking.runs import cut, grow, published_run

pytest.importorskip("tensorboardX", reason="tensorboardX is not installed")
reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="no TensorBoard")

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")]


def test_tensorboard_reads_every_figure_once_over_a_run_that_was_resumed(home: Home, tmp_path: Path):
    whole, model = published_run(home, tmp_path / "idx", holdout=60)
    folder = cut(whole, 4)
    assert Feed("tensorboard", tensorboard, TrackedRun(folder, home.root)).step(None, "interrupted")
    grow(folder, whole)
    assert Feed("tensorboard", tensorboard, TrackedRun(folder, home.root)).step(model, "finished")

    events = reader.EventAccumulator(str(folder.path / "tensorboard"), size_guidance={reader.SCALARS: 0})
    events.Reload()
    figures = [figure for entry in whole.entries() for figure in figures_of(entry)]
    tags = events.Tags()
    assert set(tags["scalars"]) == {figure.name for figure in figures}
    for name in tags["scalars"]:
        wanted = [(f.step, pytest.approx(f.value), pytest.approx(f.at)) for f in figures if f.name == name]
        assert [(e.step, e.value, e.wall_time) for e in events.Scalars(name)] == wanted
    assert {"model/confusion", "model/curve"} <= set(tags["images"])
    assert "model/card/text_summary" in tags["tensors"]
    hparams = events.SummaryMetadata("_hparams_/session_start_info").plugin_data
    assert hparams.plugin_name == "hparams"
    assert b"optimizer.lr" in hparams.content
