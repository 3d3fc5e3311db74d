"""What a description writes of a layer: no more than is needed to have the same layer again."""

from collections.abc import Callable, Sequence
from typing import Any

from ops.errors import OpsError
from ops.layers import Layer, Shape
from ops.network import Network
from service.errors import InvalidInput
from service.networks.fields import CLASSES, Chain, Chains, fields_of, fits, hints_of
from service.networks.layers import Reader, named

Item = str | dict[str, Any]


def network_data(network: Network) -> dict[str, Any]:
    """A network as the data of a description; what a layer's input decides is left out.

    Raises InvalidInput for a layer that can't be found by its name where the network is built again.
    """
    layers = _bound(network.layers, network.input_shape)
    return {"name": network.name, "initializer": network.initializer, "layers": layers}


def tidied(items: Sequence[Any], layers: Chain) -> list[Item]:
    """What was read, written in the one way in which it is always written. layers: what was made of it."""
    return [_tidy(item, layer) for item, layer in zip(items, layers, strict=True)]


def _tidy(item: Any, layer: Layer) -> Item:
    kind, (_, values) = type(layer), named(item, "")
    written = _least(kind, {field: getattr(layer, field) for field in values}, lambda made: made == layer)
    for field, value in written.items():
        hint = hints_of(kind)[field]
        if hint == Chain:
            written[field] = tidied(values[field], value)
        elif hint == Chains:
            written[field] = [tidied(*pair) for pair in zip(values[field], value, strict=True)]
        else:
            written[field] = CLASSES if values[field] == CLASSES and fits(0, hint) else _plain(value, hint)
    return _item(kind, written)


def _bound(layers: Chain, shape: Shape) -> list[Item]:
    items = []
    for layer in layers:
        items.append(_bound_item(layer, shape))
        shape = layer.output_shape(shape)
    return items


def _bound_item(layer: Layer, shape: Shape) -> Item:
    kind = type(layer)
    if kind.__module__.partition(".")[0] != "ops":
        raise InvalidInput(
            f"layer {kind.__name__} of {kind.__module__} can't be described: who builds the network again finds only "
            "the layers in ops/layers"
        )
    values = {field: getattr(layer, field) for field in fields_of(kind)}
    written = _least(kind, values, lambda made: made.bind(shape) == layer)
    for field, value in written.items():
        hint = hints_of(kind)[field]
        if hint == Chain:
            written[field] = _bound(value, shape)
        elif hint == Chains:
            written[field] = [_bound(chain, shape) for chain in value]
        else:
            written[field] = _plain(value, hint)
    item = _item(kind, written)
    if Reader(1).layer(item, kind.__name__).bind(shape) != layer:
        raise InvalidInput(f"layer {layer} can't be described: {item} makes another one")
    return item


def _least(kind: type[Layer], values: dict[str, Any], same: Callable[[Layer], bool]) -> dict[str, Any]:
    """The values without those that go without saying."""
    for field in list(values):
        rest = {name: value for name, value in values.items() if name != field}
        try:
            if same(kind(**rest)):
                values = rest
        except (TypeError, OpsError):  # it can't do without
            continue
    return values


def _item(kind: type[Layer], written: dict[str, Any]) -> Item:
    return {kind.__name__.lower(): written} if written else kind.__name__.lower()


def _plain(value: Any, hint: Any) -> Any:
    if not isinstance(value, tuple):
        return value
    pair_of_equals = len(value) == 2 and value[0] == value[1] and fits(0, hint)
    return value[0] if pair_of_equals else list(value)
