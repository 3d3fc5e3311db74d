"""The table of a network's layers."""

import numpy as np
import pytest

import ops
from ops.layers import Context
from ops.passes import forward
from ops.summary import rows, summary


def test_lenets_operations_are_those_of_the_arithmetic():
    flops = {row.name: row.flops for row in rows(ops.network("lenet", (1, 28, 28), 10)) if row.flops}
    assert flops == {
        "conv2d1": 2 * (1 * 5 * 5) * (6 * 28 * 28),
        "conv2d2": 2 * (6 * 5 * 5) * (16 * 10 * 10),
        "dense1": 2 * 400 * 120,
        "dense2": 2 * 120 * 84,
        "dense3": 2 * 84 * 10,
    }


def test_grouped_convolutions_cost_less():
    def cost(groups: int) -> int:
        return rows(ops.Network("n", (4, 8, 8), (ops.Conv2D(4, 3, groups=groups),)))[0].flops

    assert cost(1) == 4 * cost(4)


@pytest.mark.parametrize(
    "layers",
    [
        (ops.Conv2D(1, (5, 3)), ops.AvgPool2D(2), ops.Conv2D(1, 3, stride=2), ops.AvgPool2D((2, 1))),
        (ops.Conv2D(1, 3, dilation=(2, 3)), ops.Sigmoid(), ops.Conv2D(1, (2, 3), stride=(3, 1)), ops.Conv2D(1, 2)),
        (ops.AvgPool2D(3, stride=1), ops.Tanh(), ops.AvgPool2D(3, stride=2), ops.Conv2D(2, 3)),
        (ops.Conv2D(1, 3), ops.AdaptiveAvgPool2D((19, 2)), ops.Conv2D(1, (3, 1))),
    ],
)
def test_a_receptive_field_is_what_an_output_depends_on(layers):
    network = ops.Network("n", (1, 40, 40), layers)
    theta = np.abs(network.init_parameters(0).astype(float)) + 0.1

    def first_output(image: np.ndarray) -> np.ndarray:
        y, _ = forward(network, network.parameters(theta), image, Context())
        return y[:, 0, 0, 0]

    # One image for each pixel, with that pixel changed: the output changes where it is seen.
    image = np.random.default_rng(0).random((40, 40))
    changed = np.repeat(image[None], 1600, axis=0).reshape(1600, 1600)
    changed[np.arange(1600), np.arange(1600)] += 1
    seen = first_output(changed.reshape(1600, 1, 40, 40)) != first_output(image[None, None])
    rows_seen, columns_seen = np.nonzero(seen.reshape(40, 40))
    assert (rows_seen.max() + 1, columns_seen.max() + 1) == rows(network)[-1].receptive_field


def test_the_printed_table_has_a_line_for_each_layer_and_totals():
    text = summary(ops.network("lenet", (1, 28, 28), 10))
    lines = text.splitlines()
    assert lines[0].split() == ["layer", "output", "parameters", "FLOPs", "sees"]
    assert lines[1].split() == ["input", "1x28x28"]
    assert lines[2].split() == ["conv2d1", "6x28x28", "156", "235,200", "5x5"]
    assert lines[9].split() == ["dense1", "120", "48,120", "96,000", "all"]
    assert lines[-1].split() == ["total", "61,706", "833,040"]
    assert len(lines) == 3 + 12
