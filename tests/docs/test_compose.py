"""What is said of docker-compose.yml agrees with it."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.error import URLError

import pytest
import yaml

from service.storage import Bucket, S3Storage, place_of
from service.storage.address import Address
from service.storage.conditions import check_conditional_writes
from tests.clusters import free_port, until
from tests.object_storage import point_to

ROOT = Path(__file__).parents[2]
COMPOSE = (ROOT / "docker-compose.yml").read_text()
HANDED_ON = dict.fromkeys(re.findall(r"^ +([A-Z_]+):$", COMPOSE, re.MULTILINE), "")
USED = dict(re.findall(r"\$\{([A-Z_]+):-([^}]*)\}", COMPOSE)) | HANDED_ON
DESCRIBED = dict(re.findall(r"^#([A-Z_]+)=(\S*)", (ROOT / ".env.example").read_text(), re.MULTILINE))


def test_every_setting_is_described_with_its_default():
    assert DESCRIBED == USED


def test_every_setting_has_a_default():
    assert set(re.findall(r"\$\{([A-Z_]+)", COMPOSE)) == set(USED) - set(HANDED_ON)


def test_ports_are_published_on_this_host_alone():
    services = yaml.safe_load(COMPOSE)["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert len(published) == 3
    assert all(port.startswith("127.0.0.1:") for port in published)
    assert not any(":8786" in port for port in published)


def test_every_image_has_a_tag_of_its_own():
    for name, service in yaml.safe_load(COMPOSE)["services"].items():
        _, _, tag = service["image"].partition(":")
        assert tag, name
        assert "latest" not in tag, name


def test_every_service_says_whether_it_is_well_and_comes_back():
    for name, service in yaml.safe_load(COMPOSE)["services"].items():
        assert service["healthcheck"]["test"], name
        assert service["restart"] == "unless-stopped", name
        assert service["mem_limit"], name


def test_every_setting_in_the_operations_page_exists():
    told = set(
        re.findall(
            r"\b((?:ATELIER|POSTGRES|PREFECT|DASHBOARD)_[A-Z]+)\b(?!_)", (ROOT / "docs/operations.md").read_text()
        )
    )
    assert told - {"PREFECT_LOGGING", "PREFECT_API", "ATELIER_HOME"} <= set(USED)


def test_a_gpu_worker_claims_a_gpu_of_all_and_is_a_worker_like_others():
    services = yaml.safe_load(COMPOSE)["services"]
    assert services["worker-gpu"]["command"] == ["python", "-m", "service.cluster.gpus", *services["worker"]["command"]]
    (devices,) = services["worker-gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert devices["count"] == "all"
    assert "home:/var/lib/atelier" in services["worker-gpu"]["volumes"]


def test_no_part_asks_a_proxy_for_itself_or_for_another_part():
    services = yaml.safe_load(COMPOSE)["services"]
    for name, service in services.items():
        if service["image"].startswith("atelier"):
            for variable in ("NO_PROXY", "no_proxy"):
                assert {"127.0.0.1", "localhost", *services} <= set(service["environment"][variable].split(",")), name


def test_the_storage_for_trials_has_a_bucket_and_keeps_the_conditions_of_writes(monkeypatch: pytest.MonkeyPatch):
    service, port = yaml.safe_load(COMPOSE)["services"]["storage"], str(free_port())
    *_, program = service["command"]
    *_, check = service["healthcheck"]["test"]

    def is_well() -> bool:
        try:
            exec(check.replace("9000", port), {})
        except URLError:
            return False
        return True

    point_to(f"http://127.0.0.1:{port}", monkeypatch)
    command = [sys.executable, "-c", program.replace("9000", port)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as server:
        try:
            until(is_well)
            assert is_well()  # the bucket is there already
            for place in re.findall(r"^ATELIER_[A-Z]+=(s3:\S+)$", (ROOT / "docs/operations.md").read_text(), re.M):
                address = place_of(place)
                assert isinstance(address, Address)
                check_conditional_writes(S3Storage(address))
                Bucket(address).put("a/b", b"c")
                assert Bucket(address).sizes() == {"a/b": 1}
        finally:
            server.kill()


def test_what_the_storage_for_trials_installs_is_what_the_tests_have():
    locked, tested = (
        dict(re.findall(r"^([\w.-]+)==(\S+)", (ROOT / f"requirements-{name}.lock").read_text(), re.M))
        for name in ("storage", "test")
    )
    assert {"moto", "flask", "flask-cors"} <= locked.keys()
    assert locked == {name: tested[name] for name in locked}
