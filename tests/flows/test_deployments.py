"""What people find in Prefect's UI: the deployments and their forms."""

from typing import Any

import pytest
from prefect.exceptions import ParameterTypeError

from flows.deployments import TAG, deployments
from flows.train import train_flow
from service.config import TrainConfig, from_preset
from service.home import Home
from service.networks.presets import PRESETS
from tests.commands import atelier

SCHEDULER = "tcp://scheduler:8786"


@pytest.fixture(scope="module")
def offered() -> dict[str, Any]:
    return {deployment.name: deployment for deployment in deployments(SCHEDULER, trainings=2)}


def test_every_job_of_the_service_is_offered(offered: dict[str, Any]):
    assert {"ingest", "train", "evaluate", "sweep"} <= set(offered)
    for deployment in offered.values():
        assert deployment.description
        assert TAG in deployment.tags


def test_forms_propose_the_scheduler_of_the_service(offered: dict[str, Any]):
    for name in ("train", "evaluate", "sweep"):
        assert offered[name].parameters["cluster"]["scheduler"] == SCHEDULER


def test_trainings_wait_in_line(offered: dict[str, Any]):
    assert offered["train"].concurrency_limit == 2
    assert offered["train"].concurrency_options.collision_strategy == "ENQUEUE"


def test_the_nightly_schedule_is_off_until_somebody_switches_it_on(offered: dict[str, Any]):
    (nightly,) = offered["train"].schedules
    assert (nightly.slug, nightly.active) == ("nightly", False)
    (switched_on,) = next(d for d in deployments(SCHEDULER, 1, nightly=True) if d.name == "train").schedules
    assert switched_on.active


def test_the_form_of_a_network_begins_with_its_preset(offered: dict[str, Any]):
    for name in PRESETS:
        parameters = offered[f"train-{name}"].parameters
        assert TrainConfig(**parameters["config"]) == from_preset({"model": name})


def test_every_field_of_the_form_for_a_training_has_a_description_and_a_default():
    schema = train_flow.parameters.model_dump()
    assert all(parameter["description"] for parameter in schema["properties"].values())
    assert not schema.get("required")
    for group in _groups(schema):
        for name, field in group["properties"].items():
            assert "default" in field, name
            assert field.get("description") or "$ref" in field, name


def test_the_form_takes_the_text_of_a_network_of_ones_own():
    (fields,) = (
        group["properties"] for group in _groups(train_flow.parameters.model_dump()) if "dataset" in group["properties"]
    )
    assert (fields["model"]["type"], fields["model"]["default"]) == ("string", "lenet")  # several lines in Prefect's UI
    text = 'name = "mine"\nlayers = ["flatten", { dense = { units = "classes" } }]\n'
    config = train_flow.validate_parameters({"config": {"model": text, "epochs": 2}})["config"]
    assert (config.network_name, config.epochs) == ("mine", 2)
    with pytest.raises(ParameterTypeError, match=r"layers\[0\] must be one of adaptiveavgpool2d, .*got 'flat'"):
        train_flow.validate_parameters({"config": {"model": text.replace("flatten", "flat")}})


def test_numbers_in_the_form_have_bounds_that_a_browser_knows():
    numbers = 0
    for group in _groups(train_flow.parameters.model_dump()):
        for name, field in group["properties"].items():
            if field.get("type") in ("integer", "number"):
                numbers += 1
                assert "minimum" in field, name
                assert "maximum" in field, name
    assert numbers > 10


def test_no_field_of_the_form_has_alternatives_that_show_as_tabs():
    for group in _groups(train_flow.parameters.model_dump()):
        for name, field in group["properties"].items():
            assert "anyOf" not in field, name


def test_groups_come_in_the_order_in_which_they_are_declared():
    for group in _groups(train_flow.parameters.model_dump()):
        positions = [field["position"] for field in group["properties"].values()]
        assert positions == sorted(set(positions))


def test_what_is_left_out_comes_from_the_preset_of_the_network():
    asked = train_flow.validate_parameters({"config": {"model": "lenet-relu", "epochs": 2}})["config"]
    assert asked == from_preset({"model": "lenet-relu", "epochs": 2})
    assert asked.optimizer.lr == 0.05


def _groups(schema: dict[str, Any]) -> list[dict[str, Any]]:
    return [definition for definition in schema["definitions"].values() if definition.get("type") == "object"]


def test_a_server_that_is_not_there_is_told_in_one_line(home: Home):
    done = atelier("deploy", home=home.root, PREFECT_API_URL="http://127.0.0.1:9/api")
    assert done.returncode == 1
    assert "no Prefect server answers at http://127.0.0.1:9/api" in done.stderr
    assert "Traceback" not in done.stderr
