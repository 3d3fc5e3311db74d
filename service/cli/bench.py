"""`atelier bench`"""

from dataclasses import asdict
from typing import Any

import click

from service.bench.rounds import round_costs
from service.cli.main import Context
from service.cli.options import given, options_of, validated
from service.cli.output import show
from service.config import ClusterConfig, TrainConfig, configured
from service.runs import RunFolder


@click.group()
def bench() -> None:
    """Measure how fast things are on this machine."""


@bench.command()
@options_of(TrainConfig, presets=True)
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def rounds(context: Context, as_json: bool, **options: Any) -> None:
    """Train once, and tell what share of the wall time was not spent in steps."""
    cluster = validated(ClusterConfig, options)
    published = context.pipelines.train(context.home, configured(given(TrainConfig, options)), cluster, "", "")
    costs = round_costs(RunFolder.open(context.home.runs, published.run), published.workers)
    text = (
        f"{costs.rounds} rounds on {costs.workers} workers in {costs.wall_s:.2f} s\n"
        f"  {costs.round_ms:.1f} ms a round, {costs.overhead_ms:.1f} ms of it not in steps\n"
        f"  {costs.overhead_share:.1%} of the wall time not spent in steps"
    )
    show(asdict(costs), text, as_json)
