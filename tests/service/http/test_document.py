"""The OpenAPI document: its examples of answers fit their schemas, and so do the answers that really come."""

from collections.abc import Iterator
from typing import Any

import httpx
import jsonschema
import pytest

from tests.service.http.conftest import RUN, TOKEN

PROBLEM = "application/problem+json"
PREDICT = "/api/models/{name}/predict"
REAL = {"name": "lenet", "version": "1", "file": "history.json", "run": RUN}
QUERY = {"/api/compare": {"model": ["lenet:1", "flat:1"]}}


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> dict[str, Any]:
    return http.get("/api/openapi.json").json()


def check(value: Any, schema: dict[str, Any], document: dict[str, Any]) -> None:
    """Raises ValidationError where the value doesn't fit. References lead into the document."""
    jsonschema.Draft202012Validator({**schema, "components": document["components"]}).validate(value)


def contents(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, media type and content of each answer in the document."""
    for path, methods in document["paths"].items():
        for operation in methods.values():
            for answer in operation["responses"].values():
                for media_type, content in answer.get("content", {}).items():
                    yield path, media_type, content


def test_each_example_of_an_answer_fits_its_schema(document: dict[str, Any]) -> None:
    shown = [content for _, _, content in contents(document) if "example" in content]
    assert len(shown) > 40
    for content in shown:
        check(content["example"], content["schema"], document)


def test_every_operation_of_the_interface_shows_its_answer(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            if "204" in operation["responses"]:
                continue  # there is nothing to show
            told = operation["responses"]["200"]["content"]
            assert any("example" in content for content in told.values()), f"{method} {path}"


def test_every_answer_that_really_comes_fits_the_document(http: httpx.Client, document: dict[str, Any]) -> None:
    routes = [(path, methods["get"]) for path, methods in document["paths"].items() if "get" in methods]
    assert len(routes) >= 20
    for path, operation in routes:
        answer = http.get(path.format_map(REAL), params=QUERY.get(path))
        assert answer.status_code == 200, path
        media_type = answer.headers["content-type"].partition(";")[0]
        schema = operation["responses"]["200"]["content"][media_type]["schema"]
        is_text = schema.get("type") == "string"
        check(answer.text if is_text else answer.json(), schema, document)


def test_answers_to_writing_and_inferring_fit_the_document(http: httpx.Client, document: dict[str, Any]) -> None:
    def fits(path: str, method: str, answer: httpx.Response) -> None:
        content = document["paths"][path][method]["responses"]["200"]["content"]
        check(answer.json(), content["application/json"]["schema"], document)

    headers = {"authorization": f"Bearer {TOKEN}"}
    pointed = http.put("/api/models/lenet/aliases/shown", json={"version": 1}, headers=headers)
    fits("/api/models/{name}/aliases/{alias}", "put", pointed)
    fits("/v2/repository/index", "post", http.post("/v2/repository/index"))
    path = "/v2/models/{name}/infer"
    asked = document["paths"][path]["post"]["requestBody"]["content"]["application/json"]["example"]
    fits(path, "post", http.post("/v2/models/lenet/infer", json={**asked, "id": "7"}))


def test_every_route_of_the_interface_shows_an_error_in_the_form_it_has(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        for operation in methods.values():
            assert "422" not in operation["responses"], "the framework's own form is never sent"
            if path.startswith(("/api", "/v2")):
                form = "application/json" if path.startswith("/v2") else PROBLEM
                assert "example" in operation["responses"]["4XX"]["content"][form]


@pytest.mark.parametrize(
    ("route", "path"),
    [
        ("/api/models/{name}", "/api/models/nobody"),
        ("/api/models", "/api/models?limit=0"),
        ("/api/runs/{run}/rounds", f"/api/runs/{RUN}/rounds?after=x"),
        ("/v2/models/{name}", "/v2/models/nobody"),
    ],
)
def test_an_error_that_really_comes_fits_the_document(
    http: httpx.Client, document: dict[str, Any], route: str, path: str
) -> None:
    answer = http.get(path)
    assert 400 <= answer.status_code < 500
    content = document["paths"][route]["get"]["responses"]["4XX"]["content"]
    check(answer.json(), content[answer.headers["content-type"]]["schema"], document)


def test_a_prediction_that_really_comes_fits_the_document(http: httpx.Client, document: dict[str, Any]) -> None:
    answer = http.post("/api/models/lenet/predict", json={"pixels": [[7] * 28] * 28})
    assert answer.status_code == 200
    content = document["paths"][PREDICT]["post"]["responses"]["200"]["content"]["application/json"]
    check(answer.json(), content["schema"], document)
    with pytest.raises(jsonschema.ValidationError):
        check({**answer.json(), "version": "1"}, content["schema"], document)
