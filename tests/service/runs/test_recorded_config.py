"""What the configuration of a run from before means: what was done then."""

import json
from pathlib import Path

import pytest

from service.config import from_preset
from service.home import Home
from service.rounds.serial_executor import SerialExecutor
from service.runs import RunFolder
from service.runs.recorded_config import recorded_config
from service.training.resume import recorded_job
from service.training.start import start_run
from service.training.verify import verify_run
from tests.jobs import blobs_store, small


def test_a_run_from_before_has_no_longer_start_on_small_data_and_the_same_bits(home: Home, tmp_path: Path, executor_of):
    blobs_store(home, tmp_path / "idx")
    config = from_preset(small(averaging={"solo_share": 0.2, "solo_steps": 0}))
    trained = start_run(home, SerialExecutor(), "before", config, lambda _: None)
    path = home.runs / "before" / "config.json"
    facts = json.loads(path.read_text())
    del facts["config"]["averaging"]["solo_steps"]
    path.write_text(json.dumps(facts))
    folder = RunFolder.open(home.runs, "before")
    assert folder.config() == config
    *_, last = verify_run(folder, recorded_job(home, folder))
    assert (last.same, last.computed) == (True, trained.digest)


@pytest.mark.parametrize("holdout", [0, 50])
def test_a_configuration_of_now_means_what_it_says(holdout: int):
    config = from_preset({"dataset": "digits", "holdout": holdout})
    assert recorded_config(config.model_dump(mode="json")) == config
    assert (config.holdout_by, config.averaging.solo_steps, config.name) == ("stratified", 1000, "")


def test_a_model_from_before_is_called_after_its_network_alone():
    before = from_preset({"dataset": "digits"}).model_dump(mode="json", exclude={"holdout_by"})
    assert recorded_config(before).published_name == "lenet"
    assert recorded_config({**before, "name": "mine"}).published_name == "mine"
    assert recorded_config({**before, "dataset": "fashion-mnist"}).published_name == "lenet"
