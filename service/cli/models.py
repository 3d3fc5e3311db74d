"""`atelier models`"""

from typing import Any

import click

from service.cli.main import Context
from service.cli.output import show
from service.registry import ModelVersion, Registry


@click.group()
def models() -> None:
    """Look at trained models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Every version of every model."""
    registry = Registry(context.home.models)
    found = [registry.get(name, str(version)) for name in registry.names() for version in registry.versions(name)]
    rows = [
        f"{m.name:<20}{m.version:>8}  {_aliases(registry, m):<12}{m.metrics['test_accuracy']:>14.4f}  {m.created}"
        for m in found
    ]
    head = f"{'model':<20}{'version':>8}  {'alias':<12}{'test accuracy':>14}  created"
    text = "\n".join([head, *rows]) if found else "no models yet: train one with `atelier train`"
    show([_value(registry, m) for m in found], text, as_json)


@models.command("show")
@click.argument("model")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def show_(context: Context, model: str, as_json: bool) -> None:
    """One version: MODEL is a name, or name:version, or name:alias."""
    registry = Registry(context.home.models)
    name, _, version = model.partition(":")
    found = registry.get(name, version or "champion")
    lines = [
        f"{found.name} version {found.version}  {_aliases(registry, found)}",
        *(f"  {key.replace('_', ' '):<16}{value:.4f}" for key, value in found.metrics.items()),
        f"  trained on {found.dataset} in run {found.lineage['run']}, {found.created}",
        f"  parameters {found.lineage['parameters']}",
        "",
        *(f"  {found.path / file}" for file in found.files),
    ]
    show(_value(registry, found), "\n".join(lines), as_json)


@models.command()
@click.argument("model")
@click.argument("alias")
@click.argument("version", type=click.IntRange(min=1))
@click.pass_obj
def alias(context: Context, model: str, alias: str, version: int) -> None:
    """Have ALIAS of MODEL stand for VERSION from now on."""
    Registry(context.home.models).set_alias(model, alias, version)
    click.echo(f"{model}: {alias} is version {version}")


def _aliases(registry: Registry, model: ModelVersion) -> str:
    return ", ".join(alias for alias, version in registry.aliases(model.name).items() if version == model.version)


def _value(registry: Registry, model: ModelVersion) -> dict[str, Any]:
    return {
        "model": model.name,
        "version": model.version,
        "aliases": [a for a, version in registry.aliases(model.name).items() if version == model.version],
        "created": model.created,
        "dataset": model.dataset,
        "metrics": model.metrics,
        "lineage": model.lineage,
        "tags": model.tags,
        "files": model.files,
    }
