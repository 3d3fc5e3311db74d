"""`atelier ingest`"""

from dataclasses import asdict
from pathlib import Path

import click

from service.cli.main import Context
from service.cli.output import show
from service.data import check_name
from service.home import check_text


@click.command()
@click.option("--dataset", default="fashion-mnist", show_default=True, help="The name to store it under.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="A folder with the four IDX files, or data in another format. Without it the usual places are searched.",
)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def ingest(context: Context, dataset: str, source: Path | None, as_json: bool) -> None:
    """Bring a data set into the store."""
    check_text("--source", str(source or ""))
    info = context.pipelines.ingest(context.home, check_name(dataset), source)
    text = (
        f"{info.name}: {info.train:,} training and {info.test:,} test images of "
        f"{info.image_shape[0]}x{info.image_shape[1]}, {info.classes} classes\n{info.path}"
    )
    show({**asdict(info), "path": str(info.path)}, text, as_json)
