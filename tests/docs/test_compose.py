"""What is said of docker-compose.yml agrees with it."""

import re
from pathlib import Path

import yaml

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
