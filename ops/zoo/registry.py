"""The networks by name, and how one is added."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from ops.errors import OpsError
from ops.layers import Layer, Resize, Shape
from ops.network import Network

NetworkFunction = Callable[[Shape, int], Network]
"""From the shape of an example (c, h, w) and the number of classes to a network."""

_NETWORKS: dict[str, NetworkFunction] = {}

ZOO: Mapping[str, NetworkFunction] = MappingProxyType(_NETWORKS)
"""The networks by name."""


def register(name: str) -> Callable[[NetworkFunction], NetworkFunction]:
    """A decorator: the function makes the network of that name.

    Raises OpsError where another module has a network of that name. The same module may define its own anew.
    """

    def add(function: NetworkFunction) -> NetworkFunction:
        if name in _NETWORKS and _NETWORKS[name].__module__ != function.__module__:
            raise OpsError(f"network {name!r} is there already: {_NETWORKS[name].__module__}")
        _NETWORKS[name] = function
        return function

    return add


def network(name: str, input_shape: Shape, classes: int, *, resize: int = 0) -> Network:
    """The network of that name for examples of `input_shape` (c, h, w), resized first if `resize` is not 0.

    Raises OpsError for a name that is not in the zoo, ShapeError or GeometryError for images too small for it.
    """
    if name not in ZOO:
        raise OpsError(f"network must be one of {', '.join(ZOO)}, got {name!r}")
    if not resize:
        return ZOO[name](input_shape, classes)
    first: Layer = Resize(resize)
    inner = ZOO[name](first.output_shape(input_shape), classes)
    return Network(inner.name, input_shape, (first, *inner.layers), inner.initializer)
