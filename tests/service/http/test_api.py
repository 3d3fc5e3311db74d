import json
import shutil
from dataclasses import replace
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image

from service.data import describe
from service.data.store import build
from service.home import Home
from service.registry import Registry
from tests.service.http.conftest import RUN, SWEEP, TOKEN, filled_home
from tests.service.http.serving import serving
from tests.service.models import draft, publish

RANDOM = np.random.default_rng(7).integers(0, 256, (5, 28, 28), dtype=np.uint8)


def png(pixels: np.ndarray) -> bytes:
    stream = BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def ask(http: httpx.Client, pixels: Any, **params: Any) -> Any:
    return http.post("/api/models/lenet/predict", params=params, json={"pixels": pixels})


def test_models_are_listed_and_filtered(http: httpx.Client) -> None:
    assert {item["name"] for item in http.get("/api/models").json()["items"]} == {"lenet", "flat"}
    assert [item["name"] for item in http.get("/api/models?tag=small").json()["items"]] == ["lenet"]
    first = http.get("/api/models?limit=1&sort=name").json()
    second = http.get("/api/models", params={"limit": 1, "sort": "name", "cursor": first["cursor"]}).json()
    assert [first["items"][0]["name"], second["items"][0]["name"]] == ["flat", "lenet"]


def test_a_version_tells_metrics_configuration_and_history(http: httpx.Client) -> None:
    body = http.get("/api/models/lenet/versions/champion").json()
    assert body["version"] == 1
    assert len(body["history"]) == 3
    assert body["config"]["model"] == "lenet"
    assert sum(map(sum, body["evaluation"]["confusion"])) == 200


def test_a_file_comes_with_its_digest_as_etag_and_in_parts(http: httpx.Client) -> None:
    path = "/api/models/lenet/versions/1/files/weights.safetensors"
    whole = http.get(path)
    assert whole.headers["etag"] == f'"{sha256(whole.content).hexdigest()}"'
    part = http.get(path, headers={"range": "bytes=10-19"})
    assert (part.status_code, part.content) == (206, whole.content[10:20])
    assert http.get(path, headers={"if-none-match": whole.headers["etag"]}).status_code == 304
    assert http.get("/api/models/lenet/versions/1/files/curve.png").headers["content-type"] == "image/png"
    assert http.get(path.replace("weights", "none")).status_code == 404


def test_models_are_compared(http: httpx.Client) -> None:
    body = http.get("/api/compare?model=lenet:1&model=flat").json()
    assert [model["name"] for model in body["models"]] == ["lenet", "flat"]


def test_json_pixels_and_the_same_png_get_the_same_answer(http: httpx.Client) -> None:
    dark = RANDOM[0].copy()
    dark[[0, -1]] = dark[:, [0, -1]] = 0
    from_json = ask(http, dark.tolist(), top=10).json()["predictions"]
    headers = {"content-type": "image/png"}
    from_png = http.post("/api/models/lenet/predict?top=10", content=png(dark), headers=headers).json()["predictions"]
    files = [("file", ("a.png", png(dark), "image/png"))] * 2
    from_form = http.post("/api/models/lenet/predict?top=10", files=files).json()["predictions"]
    assert from_json == from_png
    assert from_form == from_json * 2
    assert sum(guess["probability"] for guess in from_json[0]) == pytest.approx(1)


def test_many_images_get_as_many_answers_as_one_by_one(http: httpx.Client) -> None:
    together = ask(http, RANDOM.tolist(), top=2).json()["predictions"]
    alone = [ask(http, image.tolist(), top=2).json()["predictions"][0] for image in RANDOM]
    for one, other in zip(together, alone, strict=True):
        assert [guess["label"] for guess in one] == [guess["label"] for guess in other]


def test_writing_needs_the_token(home: Home, http: httpx.Client) -> None:
    path, body = "/api/models/lenet/aliases/staging", {"version": 1}
    assert http.put(path, json=body).status_code == 401
    assert http.put(path, json=body, headers={"authorization": "Bearer wrong"}).status_code == 401
    right = http.put(path, json=body, headers={"authorization": f"Bearer {TOKEN}"})
    assert right.json()["aliases"]["staging"] == 1
    with serving(home) as closed:
        refused = closed.put(path, json=body, headers={"authorization": "Bearer x"})
        assert (refused.status_code, refused.headers["content-type"]) == (403, "application/problem+json")


def test_a_version_is_deleted_with_the_token_unless_an_alias_stands_for_it(home: Home, http: httpx.Client) -> None:
    publish(home.models, "flat")
    headers = {"authorization": f"Bearer {TOKEN}"}
    assert http.delete("/api/models/flat/versions/1", headers=headers).status_code == 409
    assert http.delete("/api/models/flat/versions/2", headers=headers).status_code == 204
    assert Registry(home.models).versions("flat") == [1]


def test_an_alias_is_removed_with_the_token(home: Home, http: httpx.Client) -> None:
    publish(home.models, "bare")
    path, headers = "/api/models/bare/aliases/champion", {"authorization": f"Bearer {TOKEN}"}
    assert http.delete(path).status_code == 401
    assert http.delete(path, headers=headers).status_code == 204
    assert http.get("/api/models/bare").json() == {"name": "bare", "versions": [1], "aliases": {}}
    assert http.get("/api/models/bare/aliases").json() == {}
    gone = http.delete(path, headers=headers)
    assert (gone.status_code, gone.headers["content-type"]) == (404, "application/problem+json")
    assert "has no alias 'champion'" in gone.json()["detail"]


def test_a_run_has_its_rounds_and_its_log_as_events(http: httpx.Client) -> None:
    body = http.get(f"/api/runs/{RUN}").json()
    assert (body["status"], body["epochs_done"]) == ("finished", 2)
    assert (body["loss"], body["accuracy"]) == (0.75, 0.6), (
        "the last epoch's, as the model's page and `runs list` have it"
    )
    assert len(http.get(f"/api/runs/{RUN}/rounds?after=0").json()["items"]) == 1
    events = http.get(f"/api/runs/{RUN}/events")
    assert events.headers["content-type"].startswith("text/event-stream")
    kinds = [line[7:] for line in events.text.splitlines() if line.startswith("event: ")]
    assert kinds == ["begin", "round", "epoch", "round", "epoch", "end"]
    resumed = http.get(f"/api/runs/{RUN}/events", headers={"last-event-id": "3"}).text
    assert [line for line in resumed.splitlines() if line.startswith("id: ")] == ["id: 4", "id: 5"]


def test_a_run_of_an_older_configuration_or_a_damaged_one_hides_no_other(tmp_path: Path) -> None:
    for run, log in (("old", ""), ("spoiled", "{}\n")):
        (tmp_path / "runs" / run).mkdir(parents=True)
        config = {"model": "lenet", "dataset": "fashion-mnist", "epochs": 2, "since": "forgotten"}
        (tmp_path / "runs" / run / "config.json").write_text(json.dumps({"config": config}))
        (tmp_path / "runs" / run / "rounds.jsonl").write_text(log)
    with serving(Home(tmp_path)) as http:
        assert [run["run"] for run in http.get("/api/runs").json()["items"]] == ["old"]
        assert http.get("/runs/old").status_code == 200


def test_health_and_metrics_answer(http: httpx.Client) -> None:
    assert http.get("/health").json()["status"] == "ok"
    assert 'atelier_requests_total{route="/health",status="200"}' in http.get("/metrics").text


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/models/lenet", "/models/flat/1", "/compare", "/try", "/runs", f"/runs/{RUN}"),
        *("/data", "/data/fashion-mnist", "/sweeps", f"/sweeps/{SWEEP}"),
    ],
)
def test_every_page_is_whole_and_names_no_other_host(http: httpx.Client, path: str) -> None:
    page = http.get(path)
    assert page.status_code == 200
    assert page.text.rstrip().endswith("</html>")
    for address in ('src="http', "src='http", 'href="http', "//cdn", "@import"):
        assert address not in page.text


def test_pages_of_an_empty_home_say_what_to_do(tmp_path: Path) -> None:
    with serving(Home(tmp_path)) as http:
        assert "atelier train" in http.get("/").text
        assert all(http.get(path).status_code == 200 for path in ("/try", "/compare", "/runs", "/sweeps", "/data"))
        assert http.get("/data/none").status_code == 404
        assert http.get("/sweeps/none").status_code == 404


def test_the_page_of_a_sweep_has_its_trials_and_their_picture(http: httpx.Client) -> None:
    assert f'href="/sweeps/{SWEEP}"' in http.get("/sweeps").text
    page = http.get(f"/sweeps/{SWEEP}").text
    assert page.count('class="trial"') == 3
    assert "trial 2: lr 1: 0.6000" in page
    assert f'href="/runs/{RUN}"' in page


def test_pages_show_no_test_images_of_other_data_that_took_the_name(tmp_path: Path) -> None:
    home = filled_home(tmp_path)
    shown = describe(home.store("fashion-mnist")).digest
    made = draft(seed=3)
    publish(home.models, "mine", replace(made, lineage={**made.lineage, "data": shown}))
    with serving(home) as client:
        page = client.get("/models/mine").text
        assert f"/images/fashion-mnist/0.png?data={shown}" in page or "Wrong predictions" in page
        assert client.get(f"/images/fashion-mnist/0.png?data={shown}").headers["cache-control"].startswith("public")
        shutil.rmtree(home.store("fashion-mnist"))
        arrays = np.zeros((20, 32, 32), np.uint8), (np.arange(20) % 4).astype(np.uint8)
        build(home.store("fashion-mnist"), "fashion-mnist", tuple("abcd"), arrays, arrays)
        page = client.get("/models/mine")
        assert page.status_code == 200
        assert "Wrong predictions" not in page.text
        assert client.get("/try?model=mine").text.count("Another test image") == 0
        assert client.get(f"/images/fashion-mnist/0.png?data={shown}").status_code == 404
        assert client.get("/images/fashion-mnist/0.png").headers["cache-control"] == "no-cache"
