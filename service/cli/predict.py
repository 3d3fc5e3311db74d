"""`atelier predict`"""

from dataclasses import asdict
from pathlib import Path

import click

from service.cli.main import Context
from service.cli.output import show
from service.errors import DataError
from service.inference.predictor import Predictor, picture
from service.registry import ModelRef, Registry


@click.command()
@click.argument("model")
@click.argument("image", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--top", type=click.IntRange(1, 256), default=3, show_default=True, help="How many classes to tell.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def predict(context: Context, model: str, image: Path, top: int, as_json: bool) -> None:
    """Ask MODEL (a name, or name:version, or name:alias) what IMAGE (PNG or JPEG) shows."""
    ref = ModelRef.parse(model)
    predictor = Predictor(Registry(context.home.models).find(ref))
    try:
        content = image.read_bytes()
    except OSError as error:
        raise DataError(f"{image} can't be read: {error.strerror}") from None
    guesses = predictor.guesses(picture(content, predictor.image_shape)[None], top)[0]
    value = {"model": ref.name, "version": predictor.model.version, "guesses": [asdict(guess) for guess in guesses]}
    show(value, "\n".join(f"{guess.probability:7.2%}  {guess.label}" for guess in guesses), as_json)
