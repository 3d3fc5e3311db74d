"""`atelier runs verify`"""

from dataclasses import asdict

import click

from service.cli.main import Context
from service.cli.output import show
from service.runs import RunFolder
from service.training.resume import recorded_job
from service.training.verify import examples_once, verify_run


@click.command()
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
