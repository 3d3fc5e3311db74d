"""`atelier data`"""

from dataclasses import asdict
from typing import Any

import click

from service.cli.main import Context
from service.cli.output import as_size, show, table
from service.data import DatasetInfo, check_name
from service.data.about import About
from service.data.inventory import all_stores, class_counts, delete_store, find_store, stored_bytes
from service.data.store import read_about
from service.errors import AtelierError, Conflict
from service.runs import Run, all_runs


@click.group()
def data() -> None:
    """Look at data sets."""


@data.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Every data set that has been brought in."""
    found = all_stores(context.home)
    rows = [
        (name, *_columns(info), as_size(stored_bytes(context.home, name)))
        if isinstance(info, DatasetInfo)
        else (name, "damaged", "", "", "", "")
        for name, info in found.items()
    ]
    head = ("data set", "images", "classes", "train", "test", "size")
    text = table(head, rows, right=("classes", "train", "test", "size"))
    values = [
        _value(info) if isinstance(info, DatasetInfo) else {"name": name, "error": str(info)}
        for name, info in found.items()
    ]
    show(values, text if found else "no data sets yet: bring one in with `atelier ingest`", as_json)


@data.command("show")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def show_(context: Context, name: str, as_json: bool) -> None:
    """One data set: its classes, and where it comes from."""
    info = find_store(context.home, check_name(name))
    about, counts = read_about(info.path), class_counts(info)
    rows = [(label, f"{train:,}", f"{test:,}") for label, (train, test) in counts.items()]
    lines = [
        f"{info.name}: {info.train:,} training and {info.test:,} test images of {_columns(info)[0]}",
        f"  {info.path}",
        f"  digest {info.digest}",
        *(f"  {line}" for line in _channels(info)),
        *(f"  {line}" for line in _origin(about)),
        "",
        table(("class", "train", "test"), rows, right=("train", "test")),
        *(f"\n{text}" for text in (about.card, about.licence) if text),
    ]
    classes = {label: {"train": train, "test": test} for label, (train, test) in counts.items()}
    show({**_value(info), "examples": classes, "about": about.to_attributes()}, "\n".join(lines), as_json)


@data.command()
@click.argument("name")
@click.option("--force", is_flag=True, help="Also one that a run which hasn't finished is trained on.")
@click.pass_obj
def delete(context: Context, name: str, force: bool) -> None:
    """Remove a data set for good; runs and models that were made with it stay, and can't be evaluated anew."""
    home = context.home
    unfinished = [run.name for run in all_runs(home.runs) if _is_unfinished_on(run, check_name(name))]
    if unfinished and not force:
        raise Conflict(f"run {unfinished[0]} is trained on {name}, and has not finished: delete it with --force")
    freed = stored_bytes(home, name)
    delete_store(home, name)
    click.echo(f"data set {name} is deleted: {as_size(freed)} freed")


def _is_unfinished_on(run: Run, name: str) -> bool:
    try:
        return run.config().dataset == name and run.status() in ("running", "interrupted", "paused")
    except AtelierError:  # a damaged run
        return False


def _columns(info: DatasetInfo) -> tuple[str, str, str, str]:
    height, width = info.image_shape
    colour = " in colour" if info.channels == 3 else ""
    return f"{height}x{width}{colour}", str(info.classes), f"{info.train:,}", f"{info.test:,}"


def _channels(info: DatasetInfo) -> list[str]:
    """Means and deviations of the channels, as far as somebody counted them."""
    facts = {"means": info.statistics.means, "deviations": info.statistics.deviations}
    return [f"{name}: {', '.join(f'{number:.4f}' for number in numbers)}" for name, numbers in facts.items() if numbers]


def _origin(about: About) -> list[str]:
    """What is known of where the data come from, a line each."""
    facts = {
        "from": f"{about.source}: {about.format}" if about.format else "",
        "prepared": ", ".join(f"{key.replace('_', ' ')} {value}" for key, value in (about.preparation or {}).items()),
        "test split": f"{about.split['share']:.0%} of each class, drawn by seed {about.split['seed']}"
        if about.split
        else "",
        "left out": f"{about.skipped:,} pictures that couldn't be read" if about.skipped else "",
        "duplicates": f"{about.duplicates:,} test images are training images too" if about.duplicates else "",
    }
    return [f"{name}: {text}" for name, text in facts.items() if text]


def _value(info: DatasetInfo) -> dict[str, Any]:
    return {**asdict(info), "path": str(info.path)}
