"""`atelier models`"""

from pathlib import Path
from typing import Any

import click

from service.cli.main import Context
from service.cli.names import model_names
from service.cli.output import show, table
from service.errors import InvalidInput
from service.registry import ModelRef, ModelVersion, Registry
from service.registry.exports.formats import FORMATS, export


@click.group()
def models() -> None:
    """Look at trained models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """Every version of every model."""
    registry = Registry(context.home.models)
    found = registry.everything()
    aliases = registry.aliases_of(found)
    rows = [
        (m.name, str(m.version), ", ".join(aliases[m.label]), f"{m.metrics['test_accuracy']:.4f}", m.dataset, m.created)
        for m in found
    ]
    head = ("model", "version", "alias", "test accuracy", "data set", "created")
    text = table(head, rows, right=("version", "test accuracy"))
    found_text = text if found else "no models yet: train one with `atelier train`"
    show([_value(m, aliases[m.label]) for m in found], found_text, as_json)


@models.command("show")
@click.argument("model", shell_complete=model_names)
@click.option("--layers", is_flag=True, help="Show its network's layers: shapes, parameters, FLOPs, receptive fields.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def show_(context: Context, model: str, layers: bool, as_json: bool) -> None:
    """One version: MODEL is a name, or name:version, or name:alias."""
    registry = Registry(context.home.models)
    found = _found(registry, model)
    if layers:
        from ops.summary import summary  # here, since whoever lists models needs no engine
        from service.cli.network import network_value

        network = found.build_network()
        show({"model": found.name, "version": found.version, **network_value(network)}, summary(network), as_json)
        return
    aliases = registry.aliases_of([found])[found.label]
    lines = [
        f"{found.name} version {found.version}  {', '.join(aliases)}",
        *(f"  {key.replace('_', ' '):<16}{value:.4f}" for key, value in found.metrics.items()),
        f"  trained on {found.dataset} in run {found.lineage['run']}, {found.created}",
        f"  parameters {found.lineage['parameters']}",
        *(f"  warning: {warning}" for warning in found.warnings),
        "",
        *(f"  {found.place}/{file}" for file in found.files),
    ]
    show(_value(found, aliases), "\n".join(lines), as_json)


@models.command()
@click.argument("model", shell_complete=model_names)
@click.argument("alias")
@click.argument("version", type=click.IntRange(min=1), required=False)
@click.option("--remove", is_flag=True, help="Take the alias away instead.")
@click.pass_obj
def alias(context: Context, model: str, alias: str, version: int | None, remove: bool) -> None:
    """Have ALIAS of MODEL stand for VERSION from now on.

    A champion that is set so stays, whatever is trained, until it is set again, promoted or removed.
    """
    if remove == (version is not None):
        raise InvalidInput("give either a VERSION for the alias, or --remove")
    registry = Registry(context.home.models)
    if version is None:
        registry.remove_alias(model, alias)
    else:
        registry.set_alias(model, alias, version)
    click.echo(f"{model}: {alias} is {'removed' if version is None else f'version {version}'}")


@models.command()
@click.argument("chosen", metavar="MODEL...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def compare(context: Context, chosen: tuple[str, ...], as_json: bool) -> None:
    """Figures of several versions side by side: each is name, name:version or name:alias."""
    registry = Registry(context.home.models)
    found = [_found(registry, label) for label in chosen]
    width = max(16, *(max(len(model.label), len(model.dataset)) + 2 for model in found))
    rows = ["".join([f"{'':<16}", *(f"{model.label:>{width}}" for model in found)])]
    rows += ["".join([f"{'data set':<16}", *(f"{model.dataset:>{width}}" for model in found)])]
    rows += [
        "".join([f"{key.replace('_', ' '):<16}", *(_figure(model, key, width) for model in found)])
        for key in dict.fromkeys(key for model in found for key in model.metrics)
    ]
    if len({model.data for model in found}) > 1:
        rows += ["", "They were measured on different data: their test figures can't be compared."]
    aliases = registry.aliases_of(found)
    show([_value(model, aliases[model.label]) for model in found], "\n".join(rows), as_json)


@models.command("export")
@click.argument("model", shell_complete=model_names)
@click.option("--to", "form", type=click.Choice(tuple(FORMATS)), required=True, help="The form to write.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Where to, instead of here.")
@click.pass_obj
def export_(context: Context, model: str, form: str, output: Path | None) -> None:
    """Write MODEL (name, name:version or name:alias) as a file for another program."""
    click.echo(export(_found(Registry(context.home.models), model), form, output))


@models.command()
@click.argument("model", shell_complete=model_names)
@click.option("--by", default="test_accuracy", show_default=True, help="The metric that decides.")
@click.option("--alias", default="champion", show_default=True, help="The alias that moves.")
@click.option("--dataset", default="", help="Of the versions trained on this; left out, on what the alias is at.")
@click.pass_obj
def promote(context: Context, model: str, by: str, alias: str, dataset: str) -> None:
    """Have an alias of MODEL stand for its best version on one data set.

    With --by test_accuracy the champion follows the figures of later trainings again.
    """
    best = Registry(context.home.models).promote(model, alias, by, dataset)
    click.echo(f"{model}: {alias} is version {best.version}, {by} {best.metrics[by]:.4f} on {best.dataset}")


@models.command()
@click.argument("model", shell_complete=model_names)
@click.argument("version", type=click.IntRange(min=1))
@click.option("--restore", is_flag=True, help="Bring it back instead.")
@click.pass_obj
def delete(context: Context, model: str, version: int, restore: bool) -> None:
    """Take VERSION of MODEL out of sight; for a week it can be restored."""
    registry = Registry(context.home.models)
    if restore:
        registry.restore(model, version)
    else:
        registry.delete(model, version)
        registry.purge()
    click.echo(f"{model}: version {version} is {'back' if restore else 'deleted'}")


def _found(registry: Registry, label: str) -> ModelVersion:
    return registry.find(ModelRef.parse(label))


def _figure(model: ModelVersion, key: str, width: int) -> str:
    return f"{model.metrics[key]:>{width}.4f}" if key in model.metrics else f"{'-':>{width}}"


def _value(model: ModelVersion, aliases: list[str]) -> dict[str, Any]:
    return {
        "model": model.name,
        "version": model.version,
        "aliases": aliases,
        "created": model.created,
        "dataset": model.dataset,
        "metrics": model.metrics,
        "lineage": model.lineage,
        "tags": model.tags,
        "warnings": model.warnings,
        "files": model.files,
    }
