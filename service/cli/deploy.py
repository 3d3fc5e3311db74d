"""`atelier deploy`"""

import click

from service.cli.main import Context


@click.command()
@click.pass_obj
def deploy(context: Context) -> None:
    """Offer the flows to the Prefect server that PREFECT_API_URL names, and run them when asked, until stopped."""
    context.pipelines.deploy(context.home)
