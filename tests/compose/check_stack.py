"""The service as its users run it: compose, Prefect's UI in a browser, kills in mid-run, and the same bits at the end.

Not collected by name: `make compose-test` runs it, since it needs Docker and minutes.
"""

import json
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from service.client import Atelier
from tests.browser import CHROMIUM, FLAGS
from tests.compose.server import Server, until
from tests.compose.stack import Stack, docker, inspect, running
from tests.service.training.test_own_networks import NETWORKS

pytestmark = pytest.mark.timeout(1800)
PICTURES = os.environ.get("ATELIER_SCREENSHOTS", "")
EPOCHS, SEED = 36, 5
PATIENCE = 300
"""Seconds that anything may take which is waited for: a busy machine is no failure."""
NOTES: list[str] = []
"""What was measured; printed when all is done."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running() as stack:
        yield stack
        print("\n" + "\n".join(NOTES))


@pytest.fixture(scope="module")
def server(stack: Stack) -> Iterator[Server]:
    began = time.monotonic()
    stack.compose("up", "--detach", "--no-build")
    stack.wait_until_healthy()
    NOTES.append(f"from `up` to healthy: {time.monotonic() - began:.1f} s")
    size = int(docker("image", "inspect", "--format", "{{.Size}}", "atelier:test"))
    NOTES.append(f"image: {size / 1e6:.0f} MB")
    NOTES.append(f"memory at rest: {stack.memory()}")
    assert size < 1.2e9
    with Server(stack.prefect) as opened:
        yield opened


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    assert CHROMIUM, "Chromium is needed: apt-get install chromium"
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def page(browser: Browser) -> Page:
    return browser.new_page(viewport={"width": 1280, "height": 900})


@pytest.fixture(scope="module")
def trained(stack: Stack, server: Server, page: Page) -> str:
    """The flow run that the form started, after all that happened to it."""
    clicked = _fill_in_and_submit(stack, server, page)
    flow_run = server.newest()
    until(lambda: server.state(flow_run) == "Running", PATIENCE, "the training starts")
    NOTES.append(f"from click to Running: {time.monotonic() - clicked:.1f} s")
    until(lambda: server.progress(flow_run) > 0, PATIENCE, "the first round is done")
    NOTES.append(f"from click to the first round shown: {time.monotonic() - clicked:.1f} s")

    second = server.start("train/train", {"config": {"epochs": 1, "seed": 1, "name": "from-rest"}})
    until(lambda: server.state(second) == "AwaitingConcurrencySlot", PATIENCE, "the second training waits in line")

    until(lambda: server.progress(flow_run) > 15, PATIENCE, "the training gets on")
    NOTES.append(f"memory in training: {stack.memory()}")
    _picture(page, f"{stack.dashboard}/status", "compose-dashboard", wait_ms=4000)
    victim = stack.containers("worker")[0]
    docker("exec", victim, "sh", "-c", "kill -9 -1 || true")
    until(lambda: inspect(victim)["RestartCount"] == 1, PATIENCE, "the worker's container starts again")
    _told("killed a worker", server, flow_run)

    until(lambda: server.progress(flow_run) > 35, PATIENCE, "the training gets on without the worker")
    stack.compose("restart", "--timeout", "5", "scheduler")
    _told("restarted the scheduler", server, flow_run)

    until(lambda: server.progress(flow_run) > 60, PATIENCE, "the training gets on with the new scheduler")
    _picture(page, f"{stack.prefect}/runs/flow-run/{flow_run}", "compose-run", wait_ms=3000)
    docker("kill", *stack.containers("flows"))
    stack.compose("up", "--detach", "--no-build", "flows")
    _told("killed flows", server, flow_run)
    until(lambda: server.flow_run(flow_run)["run_count"] == 2, PATIENCE, "the training is resumed")

    assert server.wait_for_end(flow_run, 2 * PATIENCE) == "Completed", server.messages(flow_run)
    assert server.wait_for_end(second, PATIENCE) == "Completed", server.messages(second)
    return flow_run


def test_a_training_from_the_form_survives_every_kill_and_ends_in_the_bits_of_an_embedded_run(
    stack: Stack, trained: str
):
    words = ("atelier", "train", "--epochs", str(EPOCHS), "--seed", str(SEED), "--name", "embedded", "--json")
    environment = ("-e", "PREFECT_API_URL=", "-e", "PREFECT_API_AUTH_STRING=", "-e", "ATELIER_HOME=/tmp/home")
    out = stack.compose("run", "--rm", "--no-deps", "-T", *environment, "flows", *words, timeout=300)
    embedded = json.loads(out.splitlines()[-1])
    with Atelier(stack.gallery) as atelier:
        (model,) = [model for model in atelier.models() if model.name == "from-the-form"]
    NOTES.append(f"digest of both: {embedded['digest'][:16]}")
    assert model.lineage["parameters"] == embedded["digest"]


def test_the_run_shows_progress_epochs_curve_and_report(stack: Stack, server: Server, page: Page, trained: str):
    shown = server.artifacts(trained)
    assert set(shown) == {"progress", "epochs", "curve", "report"}
    assert float(shown["progress"]["data"]) == 100
    assert [row["epoch"] for row in json.loads(shown["epochs"]["data"])] == list(range(1, EPOCHS + 1))
    assert f"{stack.gallery}/models/from-the-form/1" in shown["report"]["data"]
    for name in ("curve", "report"):
        page.goto(f"{stack.prefect}/artifacts/artifact/{shown[name]['id']}")
        picture = page.locator("img[src^='data:image/']").first
        expect(picture).to_be_visible(timeout=PATIENCE * 1000)
        assert picture.evaluate("image => image.naturalWidth") > 0
        _picture(page, page.url, f"compose-{name}", wait_ms=1500)


def test_what_workers_and_coordinator_log_reaches_the_flow_run(server: Server, trained: str):
    told = "\n".join(server.messages(trained))
    assert "are loaded for" in told
    assert "going on from round" in told
    assert "begins after" in told


def test_the_model_answers_over_http(stack: Stack, page: Page, trained: str):
    with Atelier(stack.gallery) as atelier:
        (guess, *_) = atelier.predict("from-the-form", Path(__file__).parents[2] / "docs/pictures/chapter-edges.png")
    assert 0 <= guess.probability <= 1
    _picture(page, f"{stack.gallery}/models/from-the-form", "compose-gallery", wait_ms=1000)
    metrics = httpx.get(f"{stack.gallery}/metrics").text
    assert "atelier_requests_total" in metrics


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_given_as_text_survives_a_kill_and_has_the_bits_that_one_process_computes(
    stack: Stack, server: Server, name: str
):
    epochs = 10 if name == "tanh-lenet" else 5  # long enough not to end before the kill
    asked = {
        "model": NETWORKS[name],
        "epochs": epochs,
        "seed": SEED,
        "optimizer": {"lr": 0.05},
        "averaging": {"average_every": 10},
    }
    flow_run = server.start("train/train", {"config": asked})
    until(lambda: server.progress(flow_run) > 0, PATIENCE, "the training gets on")
    docker("exec", stack.containers("worker")[0], "sh", "-c", "kill -9 -1 || true")
    _told(f"killed a worker that trains {name}", server, flow_run)
    assert server.progress(flow_run) < 100
    assert server.wait_for_end(flow_run, PATIENCE) == "Completed", server.messages(flow_run)

    with Atelier(stack.gallery) as atelier:
        (model,) = [model for model in atelier.models() if model.name == name]
        assert atelier.predict(name, Path(__file__).parents[2] / "docs/pictures/chapter-edges.png")
    words = ("atelier", "runs", "verify", str(model.lineage["run"]), "--json")
    verified = json.loads(stack.compose("exec", "-T", "flows", *words, timeout=PATIENCE))
    NOTES.append(f"digest of {name}: {model.lineage['parameters'][:16]}")
    assert verified["same"]
    assert verified["examples_once"]
    assert verified["last"]["computed"] == model.lineage["parameters"]


def test_cancelling_stops_the_work_and_leaves_a_run_that_says_so(stack: Stack, server: Server, trained: str):
    flow_run = server.start("train/train", {"config": {"epochs": 200, "name": "cancelled"}})
    until(lambda: server.progress(flow_run) > 0, PATIENCE, "the training starts")
    began = time.monotonic()
    server.cancel(flow_run)
    assert server.wait_for_end(flow_run, PATIENCE) == "Cancelled"
    NOTES.append(f"from cancel to Cancelled: {time.monotonic() - began:.1f} s")
    runs: list[dict[str, Any]] = httpx.get(f"{stack.gallery}/api/runs").json()["items"]
    assert runs[0]["status"] == "cancelled"


def _fill_in_and_submit(stack: Stack, server: Server, page: Page) -> float:
    """Start a training by filling in the form; the moment of the click."""
    page.goto(f"{stack.prefect}/deployments/deployment/{server.deployment('train/train')}/run")
    expect(_field(page, "Model")).to_be_visible(timeout=30_000)
    _field(page, "Model").locator("textarea").fill("lenet")
    _field(page, "Epochs").locator("input").fill(str(EPOCHS))
    _field(page, "Seed").locator("input").fill(str(SEED))
    _field(page, "Name").locator("textarea").fill("from-the-form")
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / "compose-form.png")
    with page.expect_response(lambda answer: answer.url.endswith("/create_flow_run")) as created:
        clicked = time.monotonic()
        page.get_by_role("button", name="Submit").click()
    assert created.value.status == 201
    return clicked


def _field(page: Page, label: str) -> Any:
    """The innermost part of the form that has this label."""
    return page.locator(".schema-form-property").filter(has=page.get_by_text(f"{label} (Optional)", exact=True)).last


def _picture(page: Page, address: str, name: str, wait_ms: int) -> None:
    page.goto(address)
    page.wait_for_timeout(wait_ms)
    if PICTURES:
        page.screenshot(path=Path(PICTURES) / f"{name}.png")


def _told(what: str, server: Server, flow_run: str) -> None:
    NOTES.append(f"{what} at {server.progress(flow_run):.0f} % of the rounds")
