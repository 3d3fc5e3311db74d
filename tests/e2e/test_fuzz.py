"""The whole OpenAPI document under schemathesis: no answer is a 5xx, none is late, each error has its form."""

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.http.conftest import LIMITS, RUN, TOKEN, filled_home
from tests.service.http.serving import serving

schemathesis = pytest.importorskip("schemathesis", reason="schemathesis is not installed")
REAL = {"name": "lenet", "version": "1", "file": "history.json", "run": RUN}
EXAMPLES = int(os.environ.get("ATELIER_FUZZ_EXAMPLES", "8"))
"""Requests for each operation of the document; 1,000 of them make more than 20,000 in all."""


@pytest.fixture(scope="module")
def http(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    with serving(filled_home(tmp_path_factory.mktemp("home")), token=TOKEN, limits=LIMITS) as client:
        for model in ("lenet", "flat"):  # engines are built at first, which no request of the test shall wait for
            client.get(f"/v2/models/{model}/ready").raise_for_status()
        yield client


@pytest.mark.timeout(3600)
def test_no_request_breaks_the_service(http: httpx.Client, capsys: pytest.CaptureFixture[str]) -> None:
    document = http.get("/api/openapi.json").json()
    schema = schemathesis.openapi.from_dict(document)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) >= 20
    sent: dict[int, int] = {}
    for operation in operations:

        @settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
        @given(case=operation.as_strategy(), known=st.booleans())
        def ask(case: Any, known: bool) -> None:
            if known:  # past the first 404, to what lies behind it
                case.path_parameters.update({key: REAL[key] for key in list(case.path_parameters) if key in REAL})
            response = case.call(base_url=str(http.base_url), headers={"Authorization": f"Bearer {TOKEN}"}, timeout=60)
            sent[response.status_code] = sent.get(response.status_code, 0) + 1
            assert response.status_code < 500, f"{case.method} {response.request.url}: {response.text[:200]}"
            if response.status_code >= 400:
                below = case.path.startswith("/v2")
                kind = "application/json" if below else "application/problem+json"
                assert response.headers["content-type"] == [kind]

        ask()
    with capsys.disabled():
        print(f" {sum(sent.values())} requests: {dict(sorted(sent.items()))}", end=" ")
