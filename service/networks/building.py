"""From a description to a network for images of a shape, within bounds that are checked before anything is made."""

from functools import lru_cache
from math import prod
from typing import TYPE_CHECKING, Any

from ops.errors import OpsError, RangeError, ShapeError
from ops.geometry import pair
from ops.layers import Layer, Resize, Shape
from ops.network import Network
from service.errors import InvalidInput
from service.networks.description import Description
from service.networks.layers import Reader, nested
from service.networks.writing import network_data

if TYPE_CHECKING:  # with it would come Zarr and Pillow, for which lists of models shall not wait
    from service.data.channel_statistics import ChannelStatistics

MOST_PARAMETERS = 1 << 28
"""Numbers that a network may learn: a GiB in float32, and a training keeps several times as much."""

MOST_VALUES = 1 << 26
"""Numbers that a layer may make of one example."""


@lru_cache(maxsize=32)
def build(
    description: Description,
    input_shape: Shape,
    classes: int,
    *,
    resize: int = 0,
    statistics: "ChannelStatistics | None" = None,
) -> Network:
    """The network that a description says.

    Args:
        description: the description.
        input_shape: (c, h, w) of an example.
        classes: what "classes" stands for.
        resize: what examples are resized to first; 0 leaves them as they are.
        statistics: what "normalize" without numbers stands for; None leaves that open.

    Raises:
        OpsError: in one line with the place: a layer doesn't fit the one before it, the last one doesn't tell so many
            classes apart, or there is no memory for it all.
        InvalidInput: "normalize" stands for statistics that the data set doesn't have.
    """
    data = description.data
    layers = Reader(classes, statistics).chain(data["layers"], "layers")
    first = (Resize(resize),) if resize else ()
    shape, parameters = _after(first, input_shape, "resize")
    shape, more = _after(layers, shape, "layers")
    if parameters + more > MOST_PARAMETERS:
        raise RangeError(f"a network must have at most {MOST_PARAMETERS:,} parameters, {description} has {more:,}")
    if shape != (classes,):
        raise ShapeError(
            f"layers must end in {classes} numbers, one for each class, got {_as_text(shape)}: "
            'end with { dense = { units = "classes" } }'
        )
    return Network(data["name"], input_shape, (*first, *layers), data["initializer"])


def describe(network: Network) -> Description:
    """The description of a network. Raises InvalidInput for a layer that can't be described."""
    return Description.of(network_data(network))


def recorded_network(network: Network) -> dict[str, Any]:
    """What a run or a model keeps of its network: the description, and its digest; empty if it can't be described."""
    try:
        description = describe(network)
    except InvalidInput:  # with a layer of a package that is imported for it alone; its code is needed as before
        return {}
    return {"digest": description.digest, "description": description.data}


def _after(layers: tuple[Layer, ...], shape: Shape, place: str) -> tuple[Shape, int]:
    """The shape of an example after some layers, and how much these learn."""
    parameters = 0
    for index, layer in enumerate(layers):
        here = f"{place}[{index}]"
        for inner, chain in nested(layer):
            _after(chain, shape, f"{here}{inner}")
        try:
            parameters += sum(map(prod, layer.bind(shape).parameter_shapes(shape).values()))
            after = layer.output_shape(shape)
        except OpsError as error:
            raise type(error)(f"{here}: {error}") from None
        if parameters > MOST_PARAMETERS:
            raise RangeError(f"{here}: a network must have at most {MOST_PARAMETERS:,} parameters, got {parameters:,}")
        for made in (after, _padded(layer, shape)):
            if prod(made) > MOST_VALUES:
                raise RangeError(
                    f"{here}: a layer must make at most {MOST_VALUES:,} numbers of an example, got {_as_text(made)}"
                )
        shape = after
    return shape, parameters


def _padded(layer: Layer, shape: Shape) -> Shape:
    """What is made of the input first by a layer that puts rows and columns around it."""
    padding = pair("padding", getattr(layer, "padding", 0))
    return (*shape[:-2], shape[-2] + 2 * padding[0], shape[-1] + 2 * padding[1]) if any(padding) else shape


def _as_text(shape: Shape) -> str:
    return "x".join(map(str, shape))
