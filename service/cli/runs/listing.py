"""`atelier runs list` and `atelier runs show`"""

from itertools import chain
from typing import Any

import click

from service.cli.main import Context
from service.cli.names import run_names
from service.cli.output import as_size, show, table
from service.errors import NotFound, RunError
from service.runs import Run, all_runs, find_run, look_at


@click.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """All runs, the one that started last first."""
    found = list(chain.from_iterable(look_at(all_runs(context.home.runs), _if_there)))
    rows = [
        (
            *(run["run"], run["status"], run["model"], f"{run['epochs_done']} of {run['epochs']}"),
            *(_number(run["train_loss"]), _number(run["train_accuracy"]), as_size(run["bytes"])),
            run["started"][:16].replace("T", " "),
        )
        for run in found
    ]
    head = ("run", "status", "model", "epochs", "loss", "accuracy", "size", "started (UTC)")
    text = table(head, rows, right=("epochs", "loss", "accuracy", "size"))
    show(found, text if found else "no runs yet: start one with `atelier train`", as_json)


@click.command("show")
@click.argument("run", shell_complete=run_names)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def show_(context: Context, run: str, as_json: bool) -> None:
    """One run: what was asked, and how each epoch went."""
    found = find_run(context.home.runs, run)
    summary = _summary(found)
    epochs = [entry for entry in found.entries() if entry["kind"] == "epoch"]
    lines = [f"{name}: {value}" for name, value in summary.items()]
    lines += [
        f"epoch {e['epoch'] + 1:>3}   loss {e['train_loss']:.4f}   accuracy {e['train_accuracy']:.4f}"
        f"   {e['examples_per_s']:,.0f} examples/s"
        for e in epochs
    ]
    show({**summary, "asked": found.facts(), "history": epochs}, "\n".join(lines), as_json)


def _if_there(run: Run) -> list[dict[str, Any]]:
    """What is listed of a run; nothing of one that was deleted meanwhile."""
    try:
        return [_listed(run)]
    except NotFound:
        return []


def _listed(run: Run) -> dict[str, Any]:
    """The summary of a run, or that its files are damaged, which shall not hide the others."""
    try:
        return _summary(run)
    except (RunError, OSError):
        nothing = {"model": "", "epochs_done": 0, "epochs": 0, "train_loss": None, "train_accuracy": None}
        listed = {"run": run.name, "started": run.started(), "status": "damaged", **nothing}
        return {**listed, "bytes": run.size()}


def _summary(run: Run) -> dict[str, Any]:
    config = run.config()
    epochs = [entry for entry in run.entries() if entry["kind"] == "epoch"]
    last = epochs[-1] if epochs else {}
    return {
        "run": run.name,
        "started": run.started(),
        "status": run.status(),
        "model": config.network_name,
        "epochs_done": config.first_epoch + len(epochs),
        "epochs": config.epochs,
        "train_loss": last.get("train_loss"),
        "train_accuracy": last.get("train_accuracy"),
        "bytes": run.size(),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
