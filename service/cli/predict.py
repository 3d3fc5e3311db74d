"""`atelier predict`"""

from dataclasses import asdict
from pathlib import Path

import click

from service.cli.main import Context
from service.cli.names import model_names
from service.cli.output import show
from service.errors import DataError
from service.inference.predictor import Predictor
from service.registry import ModelRef, Registry


@click.command()
@click.argument("model", shell_complete=model_names)
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--top", type=click.IntRange(1, 256), default=3, show_default=True, help="How many classes to print.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def predict(context: Context, model: str, image: Path, top: int, as_json: bool) -> None:
    """Ask MODEL (a name, or name:version, or name:alias) what IMAGE shows.

    IMAGE is a PNG, JPEG, GIF, WebP, BMP or TIFF.
    """
    ref = ModelRef.parse(model)
    predictor = Predictor(Registry(context.home.models).find(ref))
    try:
        content = image.read_bytes()
    except OSError as error:
        raise DataError(f"{image} can't be read: {error.strerror}") from None
    images = predictor.read_pictures([content])
    guesses, warnings = predictor.guesses(images, top)[0], predictor.warnings(images)[0]
    value = {
        "model": ref.name,
        "version": predictor.model.version,
        "guesses": [asdict(guess) for guess in guesses],
        "warnings": warnings,
    }
    for warning in warnings:
        click.echo(f"atelier: warning: {warning}", err=True)
    show(value, "\n".join(f"{guess.probability:7.2%}  {guess.label}" for guess in guesses), as_json)
