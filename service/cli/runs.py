"""`atelier runs`"""

from typing import Any

import click

from service.cli.main import Context
from service.cli.output import show
from service.runs import RunFolder, all_runs


@click.group()
def runs() -> None:
    """Look at runs, and steer them."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """All runs, newest first."""
    found = [_summary(folder) for folder in all_runs(context.home.runs)]
    lines = [
        f"{run['run']:<24}{run['status']:<13}{run['model']:<14}"
        f"{run['epochs_done']:>4} of {run['epochs']:<4}"
        f"{_number(run['train_loss']):>9}{_number(run['train_accuracy']):>9}"
        for run in found
    ]
    head = f"{'run':<24}{'status':<13}{'model':<14}{'epochs':>8}{'':4}{'loss':>9}{'accuracy':>9}"
    show(found, "\n".join([head, *lines]) if found else "no runs yet: start one with `atelier train`", as_json)


@runs.command("show")
@click.argument("run")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def show_(context: Context, run: str, as_json: bool) -> None:
    """One run: what was asked, and how each epoch went."""
    folder = RunFolder.open(context.home.runs, run)
    summary = _summary(folder)
    epochs = [entry for entry in folder.entries() if entry["kind"] == "epoch"]
    lines = [f"{name}: {value}" for name, value in summary.items()]
    lines += [
        f"epoch {e['epoch'] + 1:>3}   loss {e['train_loss']:.4f}   accuracy {e['train_accuracy']:.4f}"
        f"   {e['examples_per_s']:,.0f} examples/s"
        for e in epochs
    ]
    show({**summary, "asked": folder.facts(), "history": epochs}, "\n".join(lines), as_json)


@runs.command()
@click.argument("run")
@click.pass_obj
def cancel(context: Context, run: str) -> None:
    """Have a run stop after the round at hand."""
    RunFolder.open(context.home.runs, run).request("cancel")
    click.echo(f"asked for: run {run} stops after its current round")


def _summary(folder: RunFolder) -> dict[str, Any]:
    config = folder.config()
    epochs = [entry for entry in folder.entries() if entry["kind"] == "epoch"]
    last = epochs[-1] if epochs else {}
    return {
        "run": folder.name,
        "status": folder.status(),
        "model": config.model,
        "epochs_done": len(epochs),
        "epochs": config.epochs,
        "train_loss": last.get("train_loss"),
        "train_accuracy": last.get("train_accuracy"),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
