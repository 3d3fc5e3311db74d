"""A network's pass forward and its pass back, layer by layer."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from ops.arrays import Array
from ops.layers import Context
from ops.network import Network

Parameters = Sequence[Mapping[str, Array]]
"""For each layer its parameters and buffers by name, as `Network.parameters` gives them."""


def forward(network: Network, parameters: Parameters, x: Array, context: Context) -> tuple[Array, list[Any]]:
    """The network's output for a batch `x` (n, *input_shape), and what each layer saved for `backward`."""
    saved = []
    for position, (layer, own) in enumerate(zip(network.layers, parameters, strict=True)):
        x, kept = layer.forward(x, own, replace(context, position=position))
        saved.append(kept)
    return x, saved


def backward(network: Network, parameters: Parameters, dy: Array, saved: Sequence[Any], *, into: Parameters) -> None:
    """From the loss's gradient `dy` for the output, the gradient of each parameter, written to the arrays of `into`.

    There a buffer has the value that it takes after the step.
    """
    learning = [position for position, own in enumerate(parameters) if own]
    first = learning[0] if learning else len(network.layers)
    for position in reversed(range(first, len(network.layers))):
        layer = network.layers[position]
        dx, gradients = layer.backward(dy, saved[position], parameters[position], input_gradient=position > first)
        for name, gradient in gradients.items():
            into[position][name][...] = gradient
        dy = dx
