"""`atelier runs`"""

from dataclasses import asdict
from typing import Any, Literal

import click

from service.cli.main import Context
from service.cli.options import options_of, validated
from service.cli.output import show, table
from service.cli.train import resume_and_report
from service.config import ClusterConfig
from service.errors import RunError
from service.runs import RunFolder, all_runs
from service.training.resume import recorded_job
from service.training.verify import examples_once, verify_run


@click.group()
def runs() -> None:
    """Look at runs, and steer them."""


@runs.command("list")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON array.")
@click.pass_obj
def list_(context: Context, as_json: bool) -> None:
    """All runs, the one that started last first."""
    found = [_listed(folder) for folder in all_runs(context.home.runs)]
    rows = [
        (
            *(run["run"], run["status"], run["model"], f"{run['epochs_done']} of {run['epochs']}"),
            *(_number(run["train_loss"]), _number(run["train_accuracy"]), run["started"][:16].replace("T", " ")),
        )
        for run in found
    ]
    head = ("run", "status", "model", "epochs", "loss", "accuracy", "started (UTC)")
    text = table(head, rows, right=("epochs", "loss", "accuracy"))
    show(found, text if found else "no runs yet: start one with `atelier train`", as_json)


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
    _ask(context, run, "cancel")


@runs.command()
@click.argument("run")
@click.pass_obj
def pause(context: Context, run: str) -> None:
    """Have a run stop after the round at hand, to be resumed later."""
    _ask(context, run, "pause")


@runs.command()
@click.argument("run")
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def resume(context: Context, run: str, as_json: bool, **options: Any) -> None:
    """Continue a run from its newest checkpoint, to the bits that it would have ended in anyway."""
    resume_and_report(context, run, validated(ClusterConfig, options), as_json)


@runs.command()
@click.argument("run")
@click.option("--round", "number", type=click.IntRange(min=0), help="Only this round, from the checkpoint before it.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def verify(context: Context, run: str, number: int | None, as_json: bool) -> None:
    """Compute a run's rounds again and tell whether the bits agree with its log, or where they first differ."""
    folder = RunFolder.open(context.home.runs, run)
    job = recorded_job(context.home, folder)
    verdicts = []
    for verdict in verify_run(folder, job, number):
        verdicts.append(verdict)
        click.echo(
            f"round {verdict.round}: {'same' if verdict.same else 'DIFFERENT'} {verdict.computed[:16]}", err=True
        )
    epochs = sorted({verdict.epoch for verdict in verdicts})
    once = all(examples_once(folder, job, epoch) for epoch in epochs)
    same = verdicts[-1].same
    value = {"run": run, "rounds": len(verdicts), "same": same, "examples_once": once, "last": asdict(verdicts[-1])}
    text = (
        f"run {run}: {len(verdicts)} rounds computed again, "
        + ("every bit agrees" if same else f"round {verdicts[-1].round} is the first that differs")
        + f"; every example used {'exactly once' if once else 'NOT exactly once'} in each of these epochs"
    )
    show(value, text, as_json)
    if not (same and once):
        raise click.exceptions.Exit(1)


def _ask(context: Context, run: str, what: Literal["cancel", "pause"]) -> None:
    folder = RunFolder.open(context.home.runs, run)
    if folder.status() != "running":
        raise RunError(f"run {run} is not running: it is {folder.status()}")
    folder.request(what)
    click.echo(f"asked for: run {run} stops after the round at hand")


def _listed(folder: RunFolder) -> dict[str, Any]:
    """The summary of a run, or that its files are damaged, which shall not hide the others."""
    try:
        return _summary(folder)
    except RunError:
        nothing = {"model": "", "epochs_done": 0, "epochs": 0, "train_loss": None, "train_accuracy": None}
        return {"run": folder.name, "started": folder.started(), "status": "damaged", **nothing}


def _summary(folder: RunFolder) -> dict[str, Any]:
    config = folder.config()
    epochs = [entry for entry in folder.entries() if entry["kind"] == "epoch"]
    last = epochs[-1] if epochs else {}
    return {
        "run": folder.name,
        "started": folder.started(),
        "status": folder.status(),
        "model": config.model,
        "epochs_done": len(epochs),
        "epochs": config.epochs,
        "train_loss": last.get("train_loss"),
        "train_accuracy": last.get("train_accuracy"),
    }


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
