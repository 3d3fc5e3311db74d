"""`atelier network`"""

import re
from dataclasses import asdict
from typing import Any

import click

from ops.engines import Choice, choose
from ops.errors import Unsupported
from ops.network import Network
from ops.summary import rows, summary
from service.cli.main import Context
from service.cli.networks import given_examples, network_at
from service.cli.output import show
from service.config import from_preset
from service.errors import InvalidInput
from service.networks.building import describe
from service.rounds.job import network_of, step_config_for


@click.group()
def network() -> None:
    """Look at networks before they are trained."""


@network.command()
@click.argument("source", metavar="FILE")
@click.option("--input", "size", metavar="CxHxW", default="1x28x28", show_default=True, help="The shape of an image.")
@click.option("--classes", type=click.IntRange(1, 65_536), default=10, show_default=True, help="How many there are.")
@click.option("--json", "as_json", is_flag=True, help="Report as one JSON object.")
@click.pass_obj
def check(context: Context, source: str, size: str, classes: int, as_json: bool) -> None:
    """Shapes, parameters, FLOPs and receptive fields of a network, and the engine that would run it here.

    FILE is a description in TOML, package.module:function, or a network of the zoo, as `atelier train --model` takes
    them.
    """
    shape = _shape(size)
    config = from_preset({"model": network_at(context, source, examples=given_examples(shape, classes))})
    made = network_of(config, shape, classes)
    try:
        choice, refusal = choose(made, step_config_for(config)), ""
    except Unsupported as error:
        choice, refusal = None, str(error)
    show(_value(made, choice, refusal), f"{summary(made)}\n\n{_engine_as_text(choice, refusal)}", as_json)


def network_value(made: Network) -> dict[str, Any]:
    """A network as a JSON object: its description's digest, its layers one by one, and sums over them."""
    layers = [asdict(row) for row in rows(made)]
    return {
        "network": made.name,
        "digest": describe(made).digest,
        "input": made.input_shape,
        "layers": layers,
        "parameters": sum(row["parameters"] for row in layers),
        "flops": sum(row["flops"] for row in layers),
    }


def _value(made: Network, choice: Choice | None, refusal: str) -> dict[str, Any]:
    engine = asdict(choice) if choice else {"engine": None, "device": None, "why": refusal}
    return {**network_value(made), **engine}


def _engine_as_text(choice: Choice | None, refusal: str) -> str:
    if choice is None:
        return f"no engine can run it here: {refusal}"
    return f"runs here with the engine {choice.engine} on {choice.device}" + (f": {choice.why}" if choice.why else "")


def _shape(text: str) -> tuple[int, int, int]:
    found = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not found:
        raise InvalidInput(f"--input must be channels, height and width such as 3x32x32, got {text!r}")
    c, h, w = map(int, found.groups())
    return c, h, w
