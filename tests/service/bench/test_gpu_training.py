"""The whole service beside its engine and peers in turns; here on a CPU, where no peer can run."""

from pathlib import Path

import pytest

from service.bench.gpu_training import ENGINE, PEERS, SERVICE, measure_gpu_training, render
from service.home import Home
from tests.jobs import blobs_store


@pytest.mark.slow
def test_the_service_is_timed_beside_its_engine_and_peers_that_cannot_run_are_named(home: Home, tmp_path: Path):
    blobs_store(home, tmp_path / "idx", train=600)
    report = measure_gpu_training(
        home, network="mlp", batch_size=64, epochs=1, repetitions=1, dataset="blobs", device="cpu"
    )
    assert [speed.way for speed in report.speeds] == [SERVICE, ENGINE]
    service, engine = (speed.examples_per_s for speed in report.speeds)
    assert report.share_of_engine == pytest.approx(service / engine)
    assert report.ratio is None
    assert [why.partition(":")[0] for why in report.skipped] == list(PEERS)
    text = render(report)
    assert "share of the engine" in text
    assert text.count("not timed") == len(PEERS)
