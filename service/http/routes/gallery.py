"""The gallery: pages rendered here, that need no other host and work without scripts but for drawing and live runs."""

import asyncio
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi import Path as InPath
from starlette.responses import HTMLResponse, Response

from service.data.inventory import all_stores, class_counts, find_store
from service.data.store import read_about
from service.home import Home
from service.http.batching import Batcher
from service.http.pages.curves import accuracy_curve
from service.http.pages.first_layer import colour_kernels, feature_maps, kernel_grids
from service.http.pages.reliability import reliability_bars
from service.http.pages.rendering import Pages
from service.http.pages.samples import Samples
from service.http.pages.sweeps import all_sweeps, find_sweep
from service.http.predictor_cache import PredictorCache
from service.http.routes.models import ModelName
from service.http.routes.runs import open_run
from service.http.serializers import serialize_model, serialize_models, serialize_run, serialize_runs
from service.inference.predictor import Predictor
from service.registry import ModelRef, ModelVersion, Registry
from service.registry.search import Query as Search
from service.registry.search import find
from service.runs.recorded_config import flatten

MAX_SHOWN = 60


def gallery_routes(home: Home, predictors: PredictorCache, batcher: Batcher) -> APIRouter:
    """Every page, and the test images on them."""
    router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)
    registry, samples, pages = predictors.registry, Samples(home), Pages()

    @router.get("/")
    def index(request: Request, sort: Annotated[str, Query(max_length=32)] = "-created") -> HTMLResponse:
        found = find(registry, Search(sort=sort, limit=MAX_SHOWN))
        cards = [
            {**fields, "curve": accuracy_curve(model.read_json("history"), small=True)}
            for fields, model in zip(
                serialize_models(registry, found.items, request.scope["root_path"]), found.items, strict=True
            )
        ]
        return pages.response(request, "index.html", here="models", cards=cards, total=found.total, sort=sort)

    @router.get("/models/{name}")
    @router.get("/models/{name}/{version}")
    async def model(request: Request, name: ModelName, version: str = "champion") -> HTMLResponse:
        found = await asyncio.to_thread(registry.get, name, version)
        has_samples = len(await asyncio.to_thread(samples.of_model, found)) > 0
        # An engine takes a while to build, and is needed for the mistakes only.
        predictor = await predictors.predictor(name, version) if has_samples else None
        context = await batcher.in_thread(
            _model_context, registry, samples, found, predictor, request.scope["root_path"]
        )
        return pages.response(request, "model.html", here="models", **context)

    @router.get("/compare")
    def compare(request: Request, model: Annotated[list[str] | None, Query(max_length=6)] = None) -> HTMLResponse:
        known = [each.label for each in registry.everything()]
        chosen = [registry.find(ModelRef.parse(label)) for label in model or known[-2:]]
        columns = [_column(registry, each, request.scope["root_path"]) for each in chosen]
        keys = sorted({key for column in columns for key in column["config"]})
        differing = [key for key in keys if len({str(column["config"].get(key)) for column in columns}) > 1]
        comparable = len({each.data for each in chosen}) <= 1
        context = {"known": known, "columns": columns, "differing": differing, "comparable": comparable}
        return pages.response(request, "compare.html", here="compare", **context)

    @router.get("/try")
    def try_it(request: Request, model: Annotated[str, Query(max_length=130)] = "") -> HTMLResponse:
        known = registry.everything()
        best = max(known, key=lambda each: each.metrics["test_accuracy"], default=None)
        chosen = registry.find(ModelRef.parse(model)) if model else best
        count = len(samples.of_model(chosen)) if chosen else 0
        return pages.response(request, "try.html", here="try", known=known, chosen=chosen, count=count)

    _add_run_pages(router, home, registry, pages)
    _add_sweep_pages(router, home, pages)
    _add_data_pages(router, home, registry, pages)
    _add_images(router, samples)
    return router


def _add_run_pages(router: APIRouter, home: Home, registry: Registry, pages: Pages) -> None:
    @router.get("/runs")
    def runs(request: Request) -> HTMLResponse:
        return pages.response(request, "runs.html", here="runs", runs=serialize_runs(home.runs, MAX_SHOWN))

    @router.get("/runs/{run}")
    def run_page(request: Request, run: str) -> HTMLResponse:
        folder = open_run(home, run)
        config = flatten(folder.facts()["config"])
        published = _published_from(registry, run)
        return pages.response(
            request, "run.html", here="runs", run=serialize_run(folder), config=config, model=published
        )


def _add_sweep_pages(router: APIRouter, home: Home, pages: Pages) -> None:
    @router.get("/sweeps")
    def sweeps(request: Request) -> HTMLResponse:
        return pages.response(request, "sweeps.html", here="sweeps", sweeps=all_sweeps(home))

    @router.get("/sweeps/{name}")
    def sweep_page(request: Request, name: ModelName) -> HTMLResponse:
        report, picture = find_sweep(home, name)
        return pages.response(request, "sweep.html", here="sweeps", report=report, picture=picture)


def _add_data_pages(router: APIRouter, home: Home, registry: Registry, pages: Pages) -> None:
    @router.get("/data")
    def data_sets(request: Request) -> HTMLResponse:
        return pages.response(request, "data.html", here="data", found=all_stores(home))

    @router.get("/data/{name}")
    def data_set(request: Request, name: ModelName) -> HTMLResponse:
        info = find_store(home, name)
        counts = class_counts(info)
        return pages.response(
            request,
            "data_set.html",
            here="data",
            info=info,
            about=read_about(info.path),
            counts=counts,
            most=max(train for train, _ in counts.values()),
            models=[model for model in registry.everything() if model.dataset == name],
        )


def _add_images(router: APIRouter, samples: Samples) -> None:
    # Other data may get the name: what is kept for an hour has the digest in its address.
    digests = Query(max_length=130)

    @router.get("/images/{dataset}/{index}.png")
    def image(
        dataset: ModelName, index: Annotated[int, InPath(ge=0, le=10**6)], data: Annotated[str, digests] = ""
    ) -> Response:
        return Response(samples.png(dataset, index, data), media_type="image/png", headers=_kept(data))

    @router.get("/images/{dataset}/classes/{label}.png")
    def strip(
        dataset: ModelName, label: Annotated[int, InPath(ge=0, le=255)], data: Annotated[str, digests] = ""
    ) -> Response:
        return Response(samples.strip(dataset, label, data), media_type="image/png", headers=_kept(data))


def _kept(digest: str) -> dict[str, str]:
    return {"cache-control": "public, max-age=3600" if digest else "no-cache"}


def _model_context(
    registry: Registry, samples: Samples, model: ModelVersion, predictor: Predictor | None, prefix: str
) -> dict[str, Any]:
    """All that the page of a model shows. predictor: None where there are no test images."""
    return {
        "model": serialize_model(registry, model, prefix),
        "data": model.data,
        "versions": registry.versions(model.name),
        "network": model.build_network(),
        "test": model.read_json("metrics")["test"],
        "curve": accuracy_curve(model.read_json("history")),
        "config": model.read_json("config"),
        "reliability": reliability_bars(model.read_json("metrics")["test"]["calibration"]),
        "kernels": kernel_grids(model),
        "colour_kernels": colour_kernels(model),
        "feature_maps": feature_maps(model, samples.of_model(model)[0]) if predictor else [],
        "mistakes": samples.mistakes(predictor) if predictor else (),
    }


def _column(registry: Registry, model: ModelVersion, prefix: str) -> dict[str, Any]:
    """One model of a comparison."""
    return {
        **serialize_model(registry, model, prefix),
        "label": model.label,
        "curve": accuracy_curve(model.read_json("history"), small=True),
        "config": flatten(model.read_json("config")),
        "classes": model.read_json("metrics")["test"]["classes"],
    }


def _published_from(registry: Registry, run: str) -> str:
    """The model that was published from a run, as name/version, or nothing."""
    return next((f"{m.name}/{m.version}" for m in registry.everything() if m.lineage.get("run") == run), "")
