"""The gallery: pages rendered here, that need no other host and work without scripts but for drawing and live runs."""

from base64 import b64encode
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape
from starlette.responses import HTMLResponse, Response

from service.errors import NotFound
from service.home import Home
from service.http.pages.curves import curve
from service.http.predictor_cache import PredictorCache
from service.http.routes.models import ModelName, by_label
from service.http.routes.runs import open_run
from service.http.samples import Samples, kernel_grids
from service.http.serializers import model_view, model_views, run_view, run_views
from service.registry import Registry
from service.registry.search import Query as Search
from service.registry.search import find

SHOWN = 60


def gallery_routes(home: Home, shelf: PredictorCache) -> APIRouter:
    """Every page, and the test images on them."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    registry, samples, pages = shelf.registry, Samples(home), _environment()

    def page(template: str, **context: Any) -> HTMLResponse:
        return HTMLResponse(pages.get_template(template).render(**context))

    @router.get("/")
    def index(sort: Annotated[str, Query(max_length=32)] = "-created") -> HTMLResponse:
        found = find(registry, Search(sort=sort, limit=SHOWN))
        cards = [
            {**view, "curve": curve(m.read_json("history"), small=True)}
            for view, m in zip(model_views(registry, found.items), found.items, strict=True)
        ]
        return page("index.html", here="models", cards=cards, total=found.total, sort=sort)

    @router.get("/models/{name}")
    @router.get("/models/{name}/{version}")
    def model(name: ModelName, version: str = "champion") -> HTMLResponse:
        found = registry.get(name, version)
        test = found.read_json("metrics")["test"]
        responses = [_inline(content) for content in samples.responses(found, 0)]
        return page(
            "model.html",
            here="models",
            model=model_view(registry, found),
            versions=registry.versions(name),
            network=found.build_network(),
            test=test,
            most=max((max(row) for row in test["confusion"]), default=1),
            curve=curve(found.read_json("history")),
            config=found.read_json("config"),
            kernels=kernel_grids(found),
            responses=responses,
            mistakes=samples.mistakes(found),
        )

    @router.get("/compare")
    def compare(model: Annotated[list[str] | None, Query(max_length=6)] = None) -> HTMLResponse:
        known = [m.label for m in registry.everything()]
        chosen = [by_label(registry, label) for label in model or known[-2:]]
        columns = [
            {
                **model_view(registry, m),
                "label": m.label,
                "curve": curve(m.read_json("history"), small=True),
                "config": _flat(m.read_json("config")),
                "classes": m.read_json("metrics")["test"]["classes"],
            }
            for m in chosen
        ]
        keys = sorted({key for column in columns for key in column["config"]})
        differing = [key for key in keys if len({str(column["config"].get(key)) for column in columns}) > 1]
        return page("compare.html", here="compare", known=known, columns=columns, differing=differing)

    @router.get("/try")
    def attempt(model: Annotated[str, Query(max_length=130)] = "") -> HTMLResponse:
        known = registry.everything()
        labels = [m.label for m in known]
        best = max(known, key=lambda m: m.metrics["test_accuracy"], default=None)
        chosen = by_label(registry, model) if model else best
        count = _test_count(samples, chosen.dataset) if chosen else 0
        return page("try.html", here="try", labels=labels, chosen=chosen, count=count)

    @router.get("/runs")
    def runs() -> HTMLResponse:
        return page("runs.html", here="runs", runs=run_views(home.runs, SHOWN))

    @router.get("/runs/{run}")
    def one_run(run: str) -> HTMLResponse:
        folder = open_run(home, run)
        published = _published(registry, run)
        return page(
            "run.html", here="runs", run=run_view(folder), config=_flat(folder.facts()["config"]), model=published
        )

    @router.get("/images/{dataset}/{index}.png")
    def image(request: Request, dataset: ModelName, index: Annotated[int, InPath(ge=0, le=10**6)]) -> Response:
        headers = {"cache-control": "public, max-age=3600"}
        return Response(samples.png(dataset, index), media_type="image/png", headers=headers)

    return router


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parents[1] / "pages" / "templates"),
        autoescape=select_autoescape(),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    return environment


def _test_count(samples: Samples, dataset: str) -> int:
    try:
        return len(samples.test_images(dataset)[1])
    except NotFound:
        return 0


def _published(registry: Registry, run: str) -> str:
    """The model that a run became, as name/version, or nothing."""
    return next((f"{m.name}/{m.version}" for m in registry.everything() if m.lineage.get("run") == run), "")


def _flat(config: dict[str, Any], above: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in config.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, dict) else {f"{above}{key}": value}
    return flat


def _inline(png: bytes) -> str:
    return f"data:image/png;base64,{b64encode(png).decode()}"
