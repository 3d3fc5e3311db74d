"""Every page of the gallery in a real browser: it works, it can be read by everyone, and nothing leaves the host."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from service.home import Home
from tests.browser import CHROMIUM, FLAGS
from tests.commands import start
from tests.jobs import blobs_store
from tests.service.http.conftest import RUN, SWEEP, filled_home
from tests.service.http.serving import serving

api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")
pytestmark = [pytest.mark.slow, pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium")]
api.expect.set_options(timeout=60_000)
PAGES = (
    "/",
    "/models/lenet",
    "/models/flat/1",
    "/compare",
    "/try",
    "/runs",
    f"/runs/{RUN}",
    "/data",
    "/data/fashion-mnist",
    "/sweeps",
    f"/sweeps/{SWEEP}",
)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    home: Home = filled_home(tmp_path_factory.mktemp("home"))
    with serving(home) as http:
        for model in ("lenet", "flat"):  # a browser waits for half a minute, and engines are built at first
            http.get(f"/models/{model}", timeout=300).raise_for_status()
        yield str(http.base_url).rstrip("/")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with api.sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Any, address: str, request: pytest.FixtureRequest) -> Iterator[Any]:
    """A page of the filled home, light and wide unless the test says otherwise."""
    scheme, width = getattr(request, "param", ("light", 1100))
    with watched(browser, address, scheme, width) as opened:
        yield opened


@contextmanager
def watched(browser: Any, address: str, scheme: str = "light", width: int = 1100) -> Iterator[Any]:
    """A page that notes what it asks for, and fails the test for errors and for requests to other hosts."""
    opened = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800}, base_url=address)
    opened.set_default_timeout(120_000)
    wrong: list[str] = []
    hosts: set[str] = set()
    opened.on("pageerror", lambda error: wrong.append(str(error)))
    opened.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    opened.on("request", lambda asked: hosts.add(urlsplit(asked.url).netloc))
    yield opened
    opened.close()
    assert wrong == []
    assert hosts - {urlsplit(address).netloc, ""} == set()


@pytest.mark.parametrize("page", [("light", 1100), ("dark", 390)], indirect=True, ids=["light", "dark phone"])
@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_no_serious_barrier_and_fits_the_screen(page: Any, path: str, request: Any) -> None:
    page.goto(path)
    page.wait_for_load_state("load")
    assert barriers(page) == []
    width = page.viewport_size["width"]
    assert page.evaluate("document.documentElement.scrollWidth") <= width, "no page scrolls sideways"
    if folder := os.environ.get("ATELIER_SCREENSHOTS"):
        name = f"{path.strip('/').replace('/', '-') or 'models'}-{width}.png"
        page.screenshot(path=Path(folder) / name, full_page=True)


BARRIERS = ("serious", "critical")


def barriers(page: Any) -> list[str]:
    """What axe-core finds on the page that keeps someone from using it."""
    found = axe.Axe().run(page).response["violations"]
    return [f"{v['id']}: {[n['html'][:100] for n in v['nodes'][:3]]}" for v in found if v["impact"] in BARRIERS]


def test_a_drawing_is_answered_while_it_is_drawn(page: Any) -> None:
    page.goto("/try")
    page.get_by_role("button", name="Clear").click()
    api.expect(page.locator("#answer")).to_have_text("Nothing drawn yet.")
    box = page.locator("#board").bounding_box()
    page.mouse.move(box["x"] + 100, box["y"] + 100)
    page.mouse.down()
    page.mouse.move(box["x"] + 250, box["y"] + 300, steps=5)
    api.expect(page.locator("#guesses li")).to_have_count(5)
    page.mouse.up()
    page.locator("#model").select_option("flat:1")
    page.get_by_role("button", name="Another test image").click()
    api.expect(page.locator("#source")).to_contain_text("Test image")


def test_a_picture_is_uploaded_and_answered(page: Any) -> None:
    page.goto("/try")
    picture = Path(__file__).parents[2] / "docs" / "pictures" / "chapter-edges.png"
    page.locator("#upload").set_input_files(picture)
    api.expect(page.locator("#source")).to_have_text("chapter-edges.png")
    api.expect(page.locator("#guesses li")).to_have_count(5)
    page.locator("#model").select_option("flat:1")
    api.expect(page.locator("#guesses li")).to_have_count(5)


def test_a_file_that_is_no_picture_is_refused_in_words(browser: Any, address: str, tmp_path: Path) -> None:
    page = browser.new_page(base_url=address)  # unwatched: a browser logs an answer of 422 as an error
    page.goto("/try")
    api.expect(page.locator("#guesses li")).to_have_count(5)
    (tmp_path / "notes.png").write_text("no picture")
    page.locator("#upload").set_input_files(tmp_path / "notes.png")
    api.expect(page.locator("#answer")).to_contain_text("not a picture that can be read")
    page.close()


def test_an_upload_gets_the_answer_that_the_interface_gives(page: Any, address: str, tmp_path: Path) -> None:
    """Also where a browser's own preparation would differ: a wide, dark thing on grey."""
    wide = np.full((60, 200), 200, np.uint8)
    wide[10:50, 80:120] = 20
    Image.fromarray(wide).save(tmp_path / "wide.png")
    headers = {"content-type": "image/png"}
    content = (tmp_path / "wide.png").read_bytes()
    page.goto("/try?model=lenet:1")
    api.expect(page.locator("#guesses li")).to_have_count(5)
    page.locator("#upload").set_input_files(tmp_path / "wide.png")
    expected = httpx.post(f"{address}/api/models/lenet/predict", content=content, headers=headers).json()
    first = expected["predictions"][0][0]
    api.expect(page.locator("#source")).to_have_text("wide.png")
    share = f"{100 * first['probability']:.1f} %"
    api.expect(page.locator("#guesses li").first).to_have_text(f"{first['label']}{share}")


def test_a_blank_picture_is_warned_of(page: Any, tmp_path: Path) -> None:
    Image.new("L", (28, 28), 0).save(tmp_path / "black.png")
    page.goto("/try")
    page.locator("#upload").set_input_files(tmp_path / "black.png")
    api.expect(page.locator("#warnings")).to_contain_text("blank")


def test_the_gallery_can_be_walked_with_the_keyboard(page: Any) -> None:
    page.goto("/")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to content"
    for _ in range(12):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.closest('.label-card') !== null"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**/models/**")
    assert page.locator("h2").first.inner_text() == "Training curve"


def test_the_page_of_a_run_follows_its_log(page: Any) -> None:
    page.goto(f"/runs/{RUN}")
    api.expect(page.locator("#epochs tr")).to_have_count(2)
    api.expect(page.locator("#status")).to_have_text("finished")
    api.expect(page.locator("#loss")).to_have_text("0.750")


def test_the_gallery_works_under_a_sub_path(browser: Any, tmp_path: Path) -> None:
    home = filled_home(tmp_path / "home")
    with serving(home, root_path="/team/atelier") as http:
        http.get("/v2/models/lenet/ready").raise_for_status()
        with watched(browser, str(http.base_url).rstrip("/")) as page:
            page.goto("/team/atelier/")
            page.get_by_role("link", name="Try it").click()
            api.expect(page.locator("#guesses li")).to_have_count(5)
            page.get_by_role("link", name="Runs").click()
            page.get_by_role("link", name=RUN).click()
            api.expect(page.locator("#epochs tr")).to_have_count(2)
            assert urlsplit(page.url).path == f"/team/atelier/runs/{RUN}"


TRAIN = (
    *("train", "--dataset", "blobs", "--model", "mlp", "--batch-size", "32", "--lr", "0.2"),
    *("--average-every", "2", "--device", "cpu", "--epochs", "300"),
)
MOVES = """before => document.getElementById("status").textContent === "running"
    && Number(document.getElementById("rounds").textContent) > before.rounds
    && document.getElementById("loss").textContent !== before.loss
    && document.getElementById("loss-line").getAttribute("points").length > before.points"""


def test_the_page_of_a_training_moves_with_its_rounds_and_ends_with_its_model(browser: Any, tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    blobs_store(home, tmp_path / "idx", train=600)
    training = start(*TRAIN, home=home.root)
    try:
        with serving(home) as http, watched(browser, str(http.base_url).rstrip("/")) as page:
            page.goto("/runs")
            link = page.locator("tbody th a")
            while not link.count():
                assert training.poll() is None, "the training ended before its page was open"
                page.wait_for_timeout(100)
                page.reload()
            link.click()
            for _ in range(3):
                seen = {
                    "rounds": int(page.locator("#rounds").inner_text()),
                    "loss": page.locator("#loss").inner_text(),
                    "points": len(page.locator("#loss-line").get_attribute("points")),
                }
                page.wait_for_function(MOVES, arg=seen)
            assert barriers(page) == []
            assert training.poll() is None, "all this was seen while it trained"
            api.expect(page.locator("#status")).to_have_text("finished", timeout=240_000)
            api.expect(page.locator("#epochs tr")).to_have_count(300)
            page.get_by_role("link", name="mlp-blobs 1").click(timeout=60_000)
            page.wait_for_url("**/models/mlp-blobs/1")
        out, err = training.communicate(timeout=240)
        assert training.returncode == 0, out + err
    finally:
        training.kill()
        training.communicate()
