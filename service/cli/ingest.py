"""`atelier ingest`"""

from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from service.cli.main import Context
from service.cli.options import options_of, validated
from service.cli.output import show
from service.data import check_name
from service.data.options import IngestOptions
from service.home import check_text


@click.command()
@click.option("--dataset", default="fashion-mnist", show_default=True, help="The name to store it under.")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    help="A folder of pictures or IDX files, an archive of one, or a file of NumPy, CSV or Parquet. "
    "Without it the usual places are searched.",
)
@options_of(IngestOptions)
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def ingest(context: Context, dataset: str, source: Path | None, as_json: bool, **values: Any) -> None:
    """Bring a data set into the store.

    What the source is, is found out: pictures in folders, one for each class, with train and test or without; IDX,
    .npz, CSV, Parquet or CIFAR's binary files; or a tar or zip of any of these.
    """
    check_text("--source", str(source or ""))
    info = context.pipelines.ingest(context.home, check_name(dataset), source, validated(IngestOptions, values))
    colour = " in colour" if info.channels == 3 else ""
    text = (
        f"{info.name}: {info.train:,} training and {info.test:,} test images of "
        f"{info.image_shape[0]}x{info.image_shape[1]}{colour}, {info.classes} classes\n{info.path}"
    )
    show({**asdict(info), "path": str(info.path)}, text, as_json)
