"""The service under a sub-path of a proxy."""

import re
from collections.abc import Iterator

import httpx
import pytest

from service.home import Home
from service.http.middleware.forwarded_prefix import OWN_ROUTES
from tests.service.http.conftest import RUN
from tests.service.http.serving import serving

PAGES = ("/", "/models/lenet", "/compare", "/try", "/runs", f"/runs/{RUN}")


@pytest.fixture(scope="module")
def mounted(home: Home) -> Iterator[httpx.Client]:
    """A service that is told its sub-path when it starts."""
    with serving(home, root_path="/team/atelier") as client:
        yield client


def links(page: str) -> list[str]:
    """Everything that a page refers to on its own host."""
    return re.findall(r'(?:href|src|action)="(/[^"]*)"', page)


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_begins_with_the_sub_path(http: httpx.Client, path: str) -> None:
    page = http.get(path, headers={"x-forwarded-prefix": "/team/atelier/"})
    assert page.status_code == 200
    found = links(page.text)
    assert len(found) > 8
    assert [link for link in found if not link.startswith("/team/atelier/")] == []
    assert 'data-prefix="/team/atelier"' in page.text
    assert [link for link in links(http.get(path).text) if link.startswith("/team")] == []


@pytest.mark.parametrize("path", ["/", "/api/models", "/static/atelier.css", "/v2/health/ready", "/health"])
def test_a_proxy_may_take_the_sub_path_off_or_leave_it(mounted: httpx.Client, path: str) -> None:
    assert mounted.get(path).status_code == 200
    assert mounted.get(f"/team/atelier{path}").status_code == 200


def test_addresses_in_answers_begin_with_the_sub_path(mounted: httpx.Client) -> None:
    item = mounted.get("/api/models").json()["items"][0]
    href = item["files"]["config.json"]["href"]
    assert href.startswith("/team/atelier/api/models/")
    assert mounted.get(href).status_code == 200
    assert mounted.get("/api/openapi.json").json()["servers"] == [{"url": "/team/atelier"}]
    assert mounted.get("/runs/").headers["location"].endswith("/team/atelier/runs")


def test_predictions_take_their_short_way_under_a_sub_path(mounted: httpx.Client) -> None:
    body = {"pixels": [[0] * 28] * 28}
    assert mounted.post("/team/atelier/api/models/lenet/predict", json=body).status_code == 200
    assert mounted.post("/team/atelier/v2/models/nobody/infer", json={}).json().keys() == {"error"}


def test_whatever_pages_lead_to_is_known_as_a_route_of_ours(http: httpx.Client) -> None:
    found = {re.split("[/?]", link)[1] for path in PAGES for link in links(http.get(path).text)}
    assert {"models", "runs", "data", "sweeps", "static"} <= found
    assert found - {""} <= set(OWN_ROUTES)


@pytest.mark.parametrize("prefix", ["/models", "/api"])
def test_a_sub_path_that_is_called_as_a_route_is_left_to_the_proxy_to_take_off(http: httpx.Client, prefix: str) -> None:
    headers = {"x-forwarded-prefix": prefix}
    assert http.get("/models/lenet", headers=headers).status_code == 200
    assert http.get("/api/models", headers=headers).status_code == 200


@pytest.mark.parametrize("prefix", ["//evil.example", "https://evil.example", '/"><script>', "/a b", "javascript:x"])
def test_what_is_no_sub_path_leads_nowhere(http: httpx.Client, prefix: str) -> None:
    page = http.get("/", headers={"x-forwarded-prefix": prefix})
    assert page.status_code == 200
    assert page.text == http.get("/").text
