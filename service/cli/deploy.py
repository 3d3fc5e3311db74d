"""`atelier deploy`"""

import click

from service.cli.main import Context
from service.cli.options import validated
from service.config import ClusterConfig


@click.command()
@click.option(
    "--scheduler",
    envvar="ATELIER_SCHEDULER",
    default="",
    help="Address of the Dask scheduler that forms propose; without one, each run has a local cluster.",
)
@click.option(
    "--trainings",
    envvar="ATELIER_TRAININGS",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="How many trainings of each form may run at a time; the others wait in line.",
)
@click.pass_obj
def deploy(context: Context, scheduler: str, trainings: int) -> None:
    """Offer the flows to the Prefect server that PREFECT_API_URL names, and run them when asked, until stopped."""
    cluster = validated(ClusterConfig, {"scheduler": scheduler})
    context.interruption.leave()
    context.pipelines.deploy(context.home, cluster.scheduler, trainings)
