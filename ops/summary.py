"""What a network is made of, as a table: shapes, parameters, operations, receptive fields."""

from dataclasses import dataclass
from math import prod

from ops.layers import Resize, Shape
from ops.network import Network


@dataclass(frozen=True)
class Row:
    """One layer.

    Attributes:
        name: What it is called.
        layer: What it prints as.
        shape: Its output for one example.
        parameters: How many numbers it learns.
        flops: Floating-point operations of its matrix products, going forward with one example.
        receptive_field: How many rows and columns of the image one of its outputs depends on, the padding around the
            image included; None where it is the whole image.
    """

    name: str
    layer: str
    shape: Shape
    parameters: int
    flops: int
    receptive_field: tuple[int, int] | None


def rows(network: Network) -> list[Row]:
    """The network's layers in order.

    A receptive field grows by (window - 1) steps, and a step by the stride, layer after layer (Araujo, Norris and
    Sim, Computing receptive fields of convolutional neural networks, Distill, 2019). It is counted in the
    pixels that the network is given; a Resize in front counts as the image itself.
    """
    table = []
    field: tuple[int, int] | None = (1, 1)
    step = (1, 1)
    for index, (name, layer) in enumerate(zip(network.layer_names, network.layers, strict=True)):
        shape = network.shapes[index]
        extent = layer.receptive_field(shape)
        if field is None or extent is None:
            field = None
        elif not isinstance(layer, Resize):
            window, stride = extent
            field = field[0] + (window[0] - 1) * step[0], field[1] + (window[1] - 1) * step[1]
            step = step[0] * stride[0], step[1] * stride[1]
        parameters = sum(map(prod, layer.parameter_shapes(shape).values()))
        table.append(Row(name, str(layer), network.shapes[index + 1], parameters, layer.flops(shape), field))
    return table


def summary(network: Network) -> str:
    """The table as text, with totals; print it."""
    heads = ("layer", "output", "parameters", "FLOPs", "sees")
    table = rows(network)
    cells = [
        (
            row.name,
            _shape(row.shape),
            f"{row.parameters:,}",
            f"{row.flops:,}",
            _shape(row.receptive_field) if row.receptive_field else "all",
        )
        for row in table
    ]
    total = sum(row.parameters for row in table), sum(row.flops for row in table)
    lines = [
        heads,
        ("input", _shape(network.input_shape), "", "", ""),
        *cells,
        ("total", "", *map("{:,}".format, total), ""),
    ]
    widths = [max(len(line[column]) for line in lines) for column in range(len(heads))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))
