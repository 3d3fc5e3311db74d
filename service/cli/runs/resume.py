"""`atelier runs resume`"""

from typing import Any

import click

from service.cli.main import Context
from service.cli.names import run_names
from service.cli.options import options_of, validated
from service.cli.train import resume_and_report
from service.config import ClusterConfig


@click.command()
@click.argument("run", shell_complete=run_names)
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def resume(context: Context, run: str, as_json: bool, **options: Any) -> None:
    """Continue a run from its newest checkpoint, to the bits that it would have ended in anyway."""
    resume_and_report(context, run, validated(ClusterConfig, options), as_json)
