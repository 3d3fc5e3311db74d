"""`--model` on the command line: a name of the zoo, a file or a function becomes what a configuration takes."""

from collections.abc import Callable
from typing import Any

from ops.layers import Shape
from service.cli.main import Context
from service.config import TrainConfig
from service.data import describe
from service.data.catalog import KNOWN
from service.errors import DataError
from service.networks import Description
from service.networks.sources import network_from
from service.registry import ModelRef, Registry
from service.runs import find_run
from service.training.warm_start import WarmStart, is_weights_file


def with_network(context: Context, chosen: dict[str, Any], start: WarmStart | None = None) -> dict[str, Any]:
    """What was chosen on the command line, with the network itself for whatever `--model` names.

    Where no network is named, a run that starts from another run or from a model takes over the network of that.
    Raises InvalidInput for a file or a function that can't be taken; NotFound for a run or a model that isn't there.
    """
    if "model" in chosen:
        return {**chosen, "model": network_at(context, str(chosen["model"]), chosen.get("dataset"))}
    inherited = _inherited(context, start) if start else None
    return {**chosen, "model": inherited} if inherited else chosen


Examples = Callable[[], tuple[Shape, int]]
"""Gives the shape of an example (c, h, w) and the number of classes."""


def network_at(
    context: Context, source: str, dataset: str | None = None, *, examples: Examples | None = None
) -> str | dict[str, Any]:
    """The network that `--model SOURCE` means, as a configuration takes it.

    Args:
        context: where data are, which are ingested where a function needs to know them.
        source: what stood on the command line.
        dataset: what is to be trained on, if not the default.
        examples: what a function is given instead of the shape and the classes of the data set.

    Raises InvalidInput for a file or a function that can't be taken.
    """
    found = network_from(source, examples or _examples_of(context, dataset or TrainConfig().dataset))
    return found.data if isinstance(found, Description) else found


def given_examples(shape: Shape, classes: int) -> Examples:
    """Examples as somebody says that they are."""
    return lambda: (shape, classes)


def _examples_of(context: Context, name: str) -> Examples:
    def examples() -> tuple[Shape, int]:
        try:
            data = describe(context.home.store(name))
        except DataError:
            if name not in KNOWN:
                raise
            data = context.pipelines.ingest(context.home, name, None)
        return data.input_shape, data.classes

    return examples


def _inherited(context: Context, start: WarmStart) -> Any:
    if start.fork:
        network = find_run(context.home.runs, start.fork.partition(":")[0]).config().model
        return network.data if isinstance(network, Description) else network
    if start.init and not is_weights_file(start.init):
        return Registry(context.home.models).find(ModelRef.parse(start.init)).read_json("config").get("model")
    return None
