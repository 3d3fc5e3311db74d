"""The numbers that the chapter prints (Dive into Deep Learning, "Convolutional Neural Networks"), one test each.

Each is asked of the reference's textbook function, where the chapter has one, and of the operator.
"""

import numpy as np
import pytest

import ops
from ops import reference

X3 = np.arange(9.0).reshape(3, 3)
K2 = np.arange(4.0).reshape(2, 2)
X_TWO_CHANNELS = np.stack([X3, X3 + 1])
K_TWO_CHANNELS = np.stack([K2, K2 + 1])
X16 = np.arange(16.0).reshape(1, 1, 4, 4)
EDGES = np.ones((6, 8))
EDGES[:, 2:6] = 0


def batch_of_one(image, kernel, **window):
    """The operator on one image of one channel."""
    return ops.conv2d(np.asarray(image)[None, None], np.asarray(kernel)[None, None], **window)[0, 0]


def test_cross_correlation():
    expected = [[19, 25], [37, 43]]
    np.testing.assert_array_equal(reference.corr2d(X3, K2), expected)
    np.testing.assert_array_equal(batch_of_one(X3, K2), expected)


def test_convolution_layer_adds_its_bias():
    y = ops.Conv2D(1, 2)(X3[None, None], weight=K2[None, None], bias=np.array([0.5]))
    np.testing.assert_array_equal(y, [[[[19.5, 25.5], [37.5, 43.5]]]])


def test_edges_are_found():
    expected = np.zeros((6, 7))
    expected[:, 1], expected[:, 5] = 1, -1
    np.testing.assert_array_equal(reference.corr2d(EDGES, [[1, -1]]), expected)
    np.testing.assert_array_equal(batch_of_one(EDGES, [[1.0, -1.0]]), expected)


def test_edges_of_the_other_direction_are_not():
    np.testing.assert_array_equal(reference.corr2d(EDGES.T, [[1, -1]]), np.zeros((8, 5)))
    np.testing.assert_array_equal(batch_of_one(EDGES.T, [[1.0, -1.0]]), np.zeros((8, 5)))


@pytest.mark.parametrize("seed", range(5))
def test_the_edge_kernel_is_learned_in_ten_steps(seed):
    x = EDGES[None, None]
    target = reference.corr2d(EDGES, [[1, -1]])[None, None]
    w = 0.01 * np.random.default_rng(seed).normal(size=(1, 1, 1, 2))
    for _ in range(10):
        loss, dy = ops.squared_error(ops.conv2d(x, w), target)
        w -= 3e-2 * ops.conv2d_grad(dy, x, w)[1]
    # The chapter prints a loss of 0.004 to 0.005 at the tenth step, depending on the start.
    assert 0.003 < loss < 0.007
    np.testing.assert_allclose(w.ravel(), [0.99, -0.99], atol=0.01)


@pytest.mark.parametrize(
    ("kernel", "padding", "stride", "expected"),
    [
        (3, 1, 1, (8, 8)),
        ((5, 3), (2, 1), 1, (8, 8)),
        (3, 1, 2, (4, 4)),
        ((3, 5), (0, 1), (3, 4), (2, 2)),
    ],
)
def test_padding_and_stride_decide_the_shape(kernel, padding, stride, expected):
    layer = ops.Conv2D(1, kernel, stride=stride, padding=padding)
    assert layer.output_shape((1, 8, 8)) == (1, *expected)
    x = np.random.default_rng(0).random((1, 1, 8, 8))
    weight = np.random.default_rng(1).random((1, *layer.parameter_shapes((1, 8, 8))["weight"][1:]))
    assert layer(x, weight=weight, bias=np.zeros(1)).shape == (1, 1, *expected)


def test_several_input_channels():
    expected = [[56, 72], [104, 120]]
    np.testing.assert_array_equal(reference.corr2d_multi_in(X_TWO_CHANNELS, K_TWO_CHANNELS), expected)
    np.testing.assert_array_equal(ops.conv2d(X_TWO_CHANNELS[None], K_TWO_CHANNELS[None])[0, 0], expected)


def test_several_output_channels():
    kernels = np.stack([K_TWO_CHANNELS, K_TWO_CHANNELS + 1, K_TWO_CHANNELS + 2])
    assert kernels.shape == (3, 2, 2, 2)
    expected = [[[56, 72], [104, 120]], [[76, 100], [148, 172]], [[96, 128], [192, 224]]]
    np.testing.assert_array_equal(reference.corr2d_multi_in_out(X_TWO_CHANNELS, kernels), expected)
    np.testing.assert_array_equal(ops.conv2d(X_TWO_CHANNELS[None], kernels)[0], expected)


def test_a_one_by_one_convolution_is_a_matrix_product():
    rng = np.random.default_rng(0)
    x, k = rng.random((3, 3, 3)), rng.random((2, 3, 1, 1))
    product = reference.corr2d_multi_in_out_1x1(x, k)
    np.testing.assert_allclose(reference.corr2d_multi_in_out(x, k), product, atol=1e-6)  # the chapter's bound
    np.testing.assert_allclose(ops.conv2d(x[None], k)[0], product, atol=1e-6)


def test_maximum_pooling():
    expected = [[4, 5], [7, 8]]
    np.testing.assert_array_equal(reference.pool2d(X3, (2, 2)), expected)
    np.testing.assert_array_equal(ops.max_pool2d(X3[None, None], 2, stride=1)[0][0, 0], expected)


def test_average_pooling():
    expected = [[2, 3], [5, 6]]
    np.testing.assert_array_equal(reference.pool2d(X3, (2, 2), "avg"), expected)
    np.testing.assert_array_equal(ops.avg_pool2d(X3[None, None], 2, stride=1)[0, 0], expected)


@pytest.mark.parametrize(
    ("size", "window", "expected"),
    [
        (3, {}, [[10]]),
        (3, {"padding": 1, "stride": 2}, [[5, 7], [13, 15]]),
        ((2, 3), {"padding": (1, 2), "stride": (2, 3)}, [[0, 3], [8, 11], [12, 15]]),
    ],
)
def test_pooling_layers_pad_and_stride(size, window, expected):
    np.testing.assert_array_equal(ops.MaxPool2D(size, **window)(X16)[0, 0], expected)
    np.testing.assert_array_equal(ops.max_pool2d(X16, size, **window)[0][0, 0], expected)


def test_pooling_treats_each_channel_alone():
    two = np.concatenate([X16, X16 + 1], axis=1)
    y = ops.MaxPool2D(3, padding=1, stride=2)(two)
    np.testing.assert_array_equal(y, [[[[5, 7], [13, 15]], [[6, 8], [14, 16]]]])


def test_lenet_has_the_chapters_shapes():
    lenet = ops.network("lenet", (1, 28, 28), 10)
    shapes = dict(zip(lenet.layer_names, lenet.shapes[1:], strict=True))
    assert [shapes[name] for name in ("conv2d1", "avgpool2d1", "conv2d2", "avgpool2d2")] == [
        (6, 28, 28),
        (6, 14, 14),
        (16, 10, 10),
        (16, 5, 5),
    ]
    assert [shapes[name] for name in ("dense1", "dense2", "dense3")] == [(120,), (84,), (10,)]


def test_layers_print_like_the_chapters():
    assert str(ops.Conv2D(1, (1, 2), in_channels=1)) == "Conv2D(1 -> 1, kernel_size=(1, 2), stride=(1, 1))"
    assert str(ops.MaxPool2D(3)) == (
        "MaxPool2D(size=(3, 3), stride=(3, 3), padding=(0, 0), ceil_mode=False, global_pool=False, "
        "pool_type=max, layout=NCHW)"
    )
    assert str(ops.AvgPool2D(2, padding=1, ceil_mode=True)) == (
        "AvgPool2D(size=(2, 2), stride=(2, 2), padding=(1, 1), ceil_mode=True, global_pool=False, "
        "pool_type=avg, layout=NCHW)"
    )
