"""The whole service while its models lie in object storage, and where the storage goes away."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from service.config import TrainConfig
from service.data import ingest
from service.home import Home
from service.http import predictor_cache
from service.runs import begin_run
from tests.data import write_idx_dataset
from tests.object_storage import new_bucket, point_to, serving_objects
from tests.service.http.serving import serving
from tests.service.http.test_api import RANDOM, TOKEN, ask
from tests.service.models import draft, publish

FILES = "/api/models/lenet/versions/1/files"


@pytest.fixture(scope="module")
def far(object_storage: str, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home whose models lie in a bucket."""
    home = Home(tmp_path_factory.mktemp("far"), new_bucket(object_storage, "served"))
    home.prepare()
    publish(home.models)
    publish(home.models, made=draft(seed=1))
    publish(home.models, "flat", draft("mlp", seed=1))
    return home


@pytest.fixture(scope="module")
def http(far: Home) -> Iterator[httpx.Client]:
    with serving(far, token=TOKEN) as client:
        yield client


def test_models_are_found_compared_and_shown(far: Home, http: httpx.Client) -> None:
    assert {item["name"] for item in http.get("/api/models").json()["items"]} == {"lenet", "flat"}
    assert http.get("/api/models/lenet").json() == {"name": "lenet", "versions": [1, 2], "aliases": {"champion": 1}}
    assert len(http.get("/api/compare?model=lenet:1&model=flat").json()["models"]) == 2
    assert len(http.post("/v2/repository/index").json()) == 3
    assert http.get("/v2/models/lenet").json()["versions"] == ["1", "2"]
    for path in ("/", "/models/lenet", "/compare", "/try"):
        assert http.get(path).status_code == 200, path
    assert not (far.root / "models").exists()


def test_files_come_whole_in_parts_and_not_again(http: httpx.Client) -> None:
    whole = http.get(f"{FILES}/weights.safetensors")
    assert whole.headers["accept-ranges"] == "bytes"
    part = http.get(f"{FILES}/weights.safetensors", headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    known = {"if-none-match": whole.headers["etag"]}
    assert http.get(f"{FILES}/weights.safetensors", headers=known).status_code == 304
    assert http.get(f"{FILES}/curve.png").headers["content-type"] == "image/png"
    assert http.get(f"{FILES}/nothing").status_code == 404
    assert http.get(f"{FILES}/.claim").status_code == 404


@pytest.fixture
def forgetful(far: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[httpx.Client]:
    """A server that asks the storage before each prediction."""
    monkeypatch.setattr(predictor_cache, "FRESH_S", 0.0)
    with serving(far, token=TOKEN) as client:
        yield client


def test_an_alias_moves_and_a_version_goes(forgetful: httpx.Client) -> None:
    http, headers = forgetful, {"authorization": f"Bearer {TOKEN}"}
    assert ask(http, RANDOM[0].tolist()).json()["version"] == 1
    assert http.put("/api/models/lenet/aliases/champion", json={"version": 2}, headers=headers).status_code == 200
    assert ask(http, RANDOM[0].tolist()).json()["version"] == 2
    assert http.delete("/api/models/lenet/versions/2", headers=headers).status_code == 409
    assert http.put("/api/models/lenet/aliases/champion", json={"version": 1}, headers=headers).status_code == 200
    assert http.delete("/api/models/lenet/versions/2", headers=headers).status_code == 204
    assert http.get("/api/models/lenet/versions/2").status_code == 404


def test_predictions_ask_the_storage_no_more_while_they_are_fresh_and_then_tell_that_it_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictor_cache, "FRESH_S", 60.0)
    with serving_objects() as endpoint:
        point_to(endpoint, monkeypatch)
        home = Home(tmp_path, new_bucket(endpoint, "short-lived"))
        publish(home.models)
        with serving(home) as http:
            assert ask(http, RANDOM.tolist()).status_code == 200
            httpx.post(f"{endpoint}/moto-api/reset").raise_for_status()  # the bucket is gone
            assert ask(http, RANDOM.tolist()).status_code == 200
            away = http.get("/api/models")
    assert (away.status_code, away.headers["content-type"]) == (503, "application/problem+json")
    assert "short-lived" not in away.text


def test_data_in_a_bucket_are_shown_and_told_to_be_away_while_models_are_served(
    object_storage: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home", data_elsewhere=new_bucket(object_storage, "shown", "data"))
    home.prepare()
    publish(home.models)
    write_idx_dataset(tmp_path / "idx")
    ingest(home, dataset="blobs", source=tmp_path / "idx")
    with serving(home) as http:
        pages = ("/data", "/data/blobs", "/images/blobs/0.png", "/images/blobs/classes/3.png")
        for path in pages:
            assert http.get(path).status_code == 200, path
        monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away = {path: http.get(path).status_code for path in pages}
        assert (http.get("/").status_code, ask(http, RANDOM.tolist()).status_code) == (200, 200)
    assert list(away.values()) == [503, 503, 404, 404]


def test_runs_in_a_bucket_are_listed_shown_and_followed(object_storage: str, tmp_path: Path) -> None:
    home = Home(tmp_path / "home", runs_elsewhere=new_bucket(object_storage, "run-here", "runs"))
    home.prepare()
    facts = {"data": {"digest": "d", "path": "p"}, "engine": {"engine": "array"}}
    run = begin_run(home.runs, "far", TrainConfig(epochs=1), None, **facts)
    begin_run(home.runs, "begun", TrainConfig(epochs=1), None, **facts)
    with run.held() as lease, run.open_log(lease) as log:
        log.append("begin", rounds_done=0)
        for number in range(3):
            log.append("round", round=number, epoch=0, examples=9, loss=1.0, accuracy=0.5, digest="ab")
        log.append("end", outcome="finished", digest="ab")
    with serving(home) as http:
        items = http.get("/api/runs").json()["items"]
        assert {item["run"]: item["status"] for item in items} == {"far": "finished", "begun": "interrupted"}
        assert [item["round"] for item in http.get("/api/runs/far/rounds").json()["items"]] == [0, 1, 2]
        assert http.get("/api/runs/far").json()["rounds_done"] == 3
        assert http.get("/api/runs/far/events").text.count("event: round") == 3
        again = http.get("/api/runs/far/events", headers={"last-event-id": "1"}).text
        assert (again.count("event: round"), again.count("event: end")) == (2, 1)
        assert [http.get(path).status_code for path in ("/runs", "/runs/far")] == [200, 200]
        assert [http.get(f"/api/runs/{name}").status_code for name in ("none", ".far")] == [404, 404]
