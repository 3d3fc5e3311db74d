"""`atelier runs verify`"""

from dataclasses import asdict

import click

from ops.engines.fingerprint import fingerprint_of
from service.cli.main import Context
from service.cli.names import run_names
from service.cli.output import counted, show
from service.runs import find_run
from service.training.resume import recorded_job
from service.training.verify import damages, examples_once, verify_run


@click.command()
@click.argument("run", shell_complete=run_names)
@click.option("--round", "number", type=click.IntRange(min=0), help="Only this round, from the checkpoint before it.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def verify(context: Context, run: str, number: int | None, as_json: bool) -> None:
    """Compute a run's rounds again and tell whether the bits agree with its log, or where they first differ."""
    found = find_run(context.home.runs, run)
    job = recorded_job(context.home, found)
    checks = []
    for check in verify_run(found, job, number):
        checks.append(check)
        click.echo(f"round {check.round}: {'same' if check.same else 'DIFFERENT'} {check.computed[:16]}", err=True)
    once = all(examples_once(found, job, epoch) for epoch in sorted({check.epoch for check in checks}))
    same, damaged = checks[-1].same, list(damages(found))
    value = {"run": run, "rounds": len(checks), "same": same, "examples_once": once, "last": asdict(checks[-1])}
    lines = [
        f"run {run}: {counted(len(checks), 'round')} computed again, "
        + ("every bit agrees" if same else f"round {checks[-1].round} is the first that differs")
        + f"; every example used {'exactly once' if once else 'NOT exactly once'} in each of these epochs",
        *damaged,
    ]
    here = fingerprint_of(job.choice)
    if not same and job.fingerprint not in (None, here):
        lines.append(f"the run was computed by {job.fingerprint}, this process is {here}")
    show(value | {"damages": damaged}, "\n".join(lines), as_json)
    if damaged or not (same and once):
        raise click.exceptions.Exit(1)
