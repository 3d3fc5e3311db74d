"""Whether the service says that it can read its models, and to whom it says anything."""

import shutil
from pathlib import Path

import httpx
import pytest

from service.home import Home
from service.http.routes import health
from tests.service.http.serving import serving
from tests.service.models import publish

PATHS = ("/health", "/v2/health/ready")


def test_a_service_whose_models_cannot_be_read_is_not_ready_and_is_again_when_they_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path)
    publish(home.models)
    monkeypatch.setattr(health, "FRESH_S", 0.0)
    with serving(home) as http:
        assert [http.get(path).status_code for path in PATHS] == [200, 200]
        aside = home.root / "aside"
        home.models.rename(aside)
        home.models.write_text("a file is in the way")  # root reads whatever permissions forbid
        answers = [http.get(path) for path in PATHS]
        assert [answer.status_code for answer in answers] == [503, 503]
        assert answers[1].json().keys() == {"error"}
        assert str(home.root) not in answers[0].text + answers[1].text
        assert http.get("/v2/health/live").json() == {"live": True}
        home.models.unlink()
        shutil.move(aside, home.models)
        assert [http.get(path).status_code for path in PATHS] == [200, 200]


def test_pages_of_other_origins_may_not_use_the_service_unless_it_is_told_so(http: httpx.Client, home: Home) -> None:
    headers = {"origin": "https://lab.example"}
    assert "access-control-allow-origin" not in http.get("/api/models", headers=headers).headers
    asking = {**headers, "access-control-request-method": "POST", "access-control-request-headers": "content-type"}
    path = "/api/models/lenet/predict"
    with serving(home, cors_origins=["https://lab.example"]) as open_to_lab:
        assert open_to_lab.options(path, headers=asking).headers["access-control-allow-origin"] == "https://lab.example"
        answer = open_to_lab.post(path, json={"pixels": [[0] * 28] * 28}, headers=headers)
        assert answer.headers["access-control-allow-origin"] == "https://lab.example"
        stranger = open_to_lab.get("/api/models", headers={"origin": "https://other.example"})
        assert "access-control-allow-origin" not in stranger.headers
