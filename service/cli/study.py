"""`atelier study`"""

import click

from service.cli.main import Context
from service.cli.options import checked_id, options_of, validated
from service.cli.output import show
from service.config import ClusterConfig, from_preset
from service.search.study import Study, StudyName
from service.training.preflight import check_training


@click.command()
@click.option("--seeds", type=click.IntRange(1, 1000), default=5, help="Seeds for every way of averaging. [default: 5]")
@click.option(
    "--plateau-seeds",
    type=click.IntRange(0, 1000),
    default=20,
    help="Seeds for what `--shards K` alone picks, to see whether a run stays on the plateau. [default: 20]",
)
@click.option("--epochs", type=click.IntRange(1, 10_000), default=10, help="Epochs of every training. [default: 10]")
@click.option("--holdout", type=click.IntRange(0), default=5000, help="Examples kept out to choose by. [default: 5000]")
@click.option("--dataset", default="fashion-mnist", help="The data set. [default: fashion-mnist]")
@click.option("--id", "name", default="study", help="A name; one that exists is continued. [default: study]")
@options_of(ClusterConfig)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def study(
    context: Context,
    seeds: int,
    plateau_seeds: int,
    epochs: int,
    holdout: int,
    dataset: str,
    name: str,
    as_json: bool,
    **options: object,
) -> None:
    """Compare ways of averaging over several seeds; stop it at any time, and start it again to go on."""
    # Of the last examples, as every study so far: figures of studies can be compared, and those begun before go on.
    base = {"model": "lenet", "dataset": dataset, "epochs": epochs, "holdout": holdout, "holdout_by": "last"}
    cluster = validated(ClusterConfig, options)
    checked_id(StudyName, name)
    check_training(context.home, from_preset(base), cluster)
    context.interruption.resume = lambda: f"atelier study … --id {name}"
    folder = context.pipelines.study(context.home, Study(base, seeds, plateau_seeds), name, cluster)
    show({"study": name, "folder": str(folder)}, (folder / "tables.md").read_text(encoding="utf-8"), as_json)
