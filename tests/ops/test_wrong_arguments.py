"""What can't be taken is refused with the library's own exception, which names the argument, what it must be, what came."""

# ruff: noqa: E501 -- a table: one case a line

import sys
from types import SimpleNamespace

import numpy as np
import pytest

import ops
from ops import augment, reference
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica, Steps
from ops.errors import DtypeError, GeometryError, LabelError, OpsError, RangeError, ShapeError, Unsupported
from ops.lr_schedules import Constant, Cosine, OneCycle, Step, WarmUp
from ops.training import accuracy

RNG = np.random.default_rng(0)
X, W, B = RNG.normal(size=(2, 3, 6, 7)), RNG.normal(size=(4, 3, 3, 2)), RNG.normal(size=4)
DY = RNG.normal(size=(2, 4, 4, 6))
A, M, U = RNG.normal(size=(5, 6)), RNG.normal(size=(4, 6)), RNG.normal(size=4)
LABELS = np.array([0, 1, 2, 3, 4])
POOLED, ARGMAX = ops.max_pool2d(X, 2)
NETWORK = ops.network("mlp", (1, 4, 4), 3)
ENGINE = ArrayEngine(NETWORK, ops.StepConfig())
IMAGES = RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8)
BYTES = np.array([0, 1, 2, 0, 1], np.uint8)


def case(expected, message, call):
    return pytest.param(call, expected, message, id=message[:60])


# fmt: off
CASES = [
    # convolution
    case(ShapeError, "x must have 4 axes (n, c, h, w), got 3", lambda: ops.conv2d(X[0], W)),
    case(ShapeError, "w must have 4 axes (o, c / groups, r, s), got 2", lambda: ops.conv2d(X, M)),
    case(ShapeError, "w must have 3 input channels (x has 3, groups=1), got", lambda: ops.conv2d(X, W[:, :2])),
    case(ShapeError, "w must not be empty, got shape (0, 3, 3, 2)", lambda: ops.conv2d(X, W[:0])),
    case(ShapeError, "x must not be empty in any axis but the batch, got", lambda: ops.conv2d(X[:, :, :0], W, padding=3)),
    case(ShapeError, "b must have shape (4,), got (3,)", lambda: ops.conv2d(X, W, B[:3])),
    case(DtypeError, "x must be float32 or float64, got int64", lambda: ops.conv2d(X.astype(int), W)),
    case(DtypeError, "x must be float32 or float64, got float16", lambda: ops.conv2d(X.astype(np.float16), W)),
    case(DtypeError, "x must be a NumPy or CuPy array, got list", lambda: ops.conv2d(X.tolist(), W)),
    case(DtypeError, "w must be float64 like x, got float32", lambda: ops.conv2d(X, W.astype(np.float32))),
    case(DtypeError, "b must be float64 like x, got float32", lambda: ops.conv2d(X, W, B.astype(np.float32))),
    case(GeometryError, "stride must be >= 1 in both dimensions, got (0, 1)", lambda: ops.conv2d(X, W, stride=(0, 1))),
    case(GeometryError, "stride must be an int or a pair of ints, got 1.5", lambda: ops.conv2d(X, W, stride=1.5)),
    case(GeometryError, "stride must be an int or a pair of ints, got (1, 2, 3)", lambda: ops.conv2d(X, W, stride=(1, 2, 3))),
    case(GeometryError, "padding must be >= 0 in both dimensions, got (-1, -1)", lambda: ops.conv2d(X, W, padding=-1)),
    case(GeometryError, "padding must be an int or a pair of ints, got 'same'", lambda: ops.conv2d(X, W, padding="same")),
    case(GeometryError, "dilation must be >= 1 in both dimensions, got (0, 0)", lambda: ops.conv2d(X, W, dilation=0)),
    case(GeometryError, "groups must be an int >= 1, got 0", lambda: ops.conv2d(X, W, groups=0)),
    case(GeometryError, "groups must be an int >= 1, got True", lambda: ops.conv2d(X, W, groups=True)),
    case(GeometryError, "groups must divide the 3 input and 4 output channels, got 2", lambda: ops.conv2d(X, W, groups=2)),
    case(GeometryError, "kernel_size (3, 2) with dilation (3, 1) must fit in the padded input (6, 7)", lambda: ops.conv2d(X, W, dilation=(3, 1))),
    case(ShapeError, "dy must have shape (2, 4, 4, 6), got (2, 4, 4, 5)", lambda: ops.conv2d_grad(DY[..., 1:], X, W)),
    case(DtypeError, "dy must be float64 like x, got float32", lambda: ops.conv2d_grad(DY.astype(np.float32), X, W)),
    # pooling
    case(ShapeError, "x must have 4 axes (n, c, h, w), got 2", lambda: ops.max_pool2d(A, 2)),
    case(DtypeError, "x must be float32 or float64, got uint8", lambda: ops.avg_pool2d(X.astype(np.uint8), 2)),
    case(GeometryError, "size must be >= 1 in both dimensions, got (2, 0)", lambda: ops.max_pool2d(X, (2, 0))),
    case(GeometryError, "size (7, 7) must fit in the padded input (6, 7)", lambda: ops.avg_pool2d(X, 7)),
    case(GeometryError, "padding must be smaller than size (3, 3) in both dimensions, got (3, 0)", lambda: ops.max_pool2d(X, 3, padding=(3, 0))),
    case(GeometryError, "stride must be >= 1 in both dimensions, got (1, 0)", lambda: ops.avg_pool2d(X, 2, stride=(1, 0))),
    case(ShapeError, "x must not be empty in any axis but the batch, got", lambda: ops.max_pool2d(X[:, :0], 2)),
    case(ShapeError, "dy must have shape (2, 3, 3, 3), got (2, 3, 3, 2)", lambda: ops.max_pool2d_grad(POOLED[..., 1:], ARGMAX, X.shape, 2)),
    case(ShapeError, "argmax must have shape (2, 3, 3, 3), got (1, 3, 3, 3)", lambda: ops.max_pool2d_grad(POOLED, ARGMAX[:1], X.shape, 2)),
    case(ShapeError, "x_shape must be (n, c, h, w), got (6, 7)", lambda: ops.avg_pool2d_grad(POOLED, (6, 7), 2)),
    # dense
    case(ShapeError, "x must have 2 axes (n, inputs), got 4", lambda: ops.dense(X, M)),
    case(ShapeError, "w must have 6 columns, one for each input of x, got shape (4, 5)", lambda: ops.dense(A, M[:, 1:])),
    case(ShapeError, "b must have shape (4,), got (4, 1)", lambda: ops.dense(A, M, U[:, None])),
    case(ShapeError, "dy must have shape (5, 4), got (5, 6)", lambda: ops.dense_grad(A, A, M)),
    case(DtypeError, "w must be float64 like x, got float32", lambda: ops.dense(A, M.astype(np.float32))),
    # activations
    case(DtypeError, "x must be float32 or float64, got int64", lambda: ops.sigmoid(LABELS)),
    case(DtypeError, "x must be a NumPy or CuPy array, got float", lambda: ops.relu(1.0)),
    case(ShapeError, "dy must have shape (5, 6), got (4, 6)", lambda: ops.tanh_grad(M, A)),
    case(OpsError, "negative_slope must be a finite number >= 0, got -1", lambda: ops.leaky_relu(A, -1)),
    # losses
    case(LabelError, "labels must be in [0, 4), got 4", lambda: ops.softmax_cross_entropy(A[:, :4], LABELS)),
    case(LabelError, "labels must be in [0, 6), got -1", lambda: ops.softmax_cross_entropy(A, LABELS - 1)),
    case(DtypeError, "labels must be an array of integers, got float64", lambda: ops.softmax_cross_entropy(A, LABELS * 1.0)),
    case(DtypeError, "labels must be an array of integers, got list", lambda: ops.softmax_cross_entropy(A, [0, 1, 2, 3, 4])),
    case(ShapeError, "labels must have shape (5,), got (4,)", lambda: ops.softmax_cross_entropy(A, LABELS[:4])),
    case(ShapeError, "logits must have 2 axes (n, classes), got 4", lambda: ops.softmax_cross_entropy(X, LABELS)),
    case(RangeError, "label_smoothing must be in [0, 1), got 1.0", lambda: ops.softmax_cross_entropy(A, LABELS, label_smoothing=1.0)),
    case(ShapeError, f"class_weights must have {A.shape[1]} numbers, one for each class, got 1", lambda: ops.softmax_cross_entropy(A, LABELS, class_weights=(1.0,))),
    case(ShapeError, "target must have shape (5, 6), got (4, 6)", lambda: ops.squared_error(A, M)),
    # dropout, augmentation, resizing
    case(RangeError, "rate must be in [0, 1), got 1", lambda: ops.dropout_mask(A, 1, LABELS, 0, 0, 0)),
    case(ShapeError, "examples must have shape (5,), a number for each example of x, got (4,)", lambda: ops.dropout_mask(A, 0.5, LABELS[:4], 0, 0, 0)),
    case(ShapeError, "examples must have shape (5,), a number for each example of x, got None", lambda: ops.dropout_mask(A, 0.5, None, 0, 0, 0)),
    case(GeometryError, "shift must be >= 0, got -1", lambda: augment.draw(LABELS, flip=True, shift=-1, seed=0, epoch=0)),
    case(ShapeError, "flip must have shape (2,), got (5,)", lambda: augment.apply(X, augment.draw(LABELS, flip=True, shift=1, seed=0, epoch=0))),
    case(GeometryError, "size must be >= 1 in both dimensions, got (0, 3)", lambda: ops.resize2d(X, (0, 3))),
    case(ShapeError, "dy must have shape (2, 3, 5, 5), got (2, 3, 6, 7)", lambda: ops.resize2d_grad(X, X.shape, 5)),
    # layers and networks
    case(GeometryError, "channels must be a multiple of groups 2, got 3", lambda: ops.Conv2D(3, 1, groups=2)),
    case(GeometryError, "channels must be an int >= 1, got 0", lambda: ops.Conv2D(0, 1)),
    case(GeometryError, "kernel_size must be >= 1 in both dimensions, got (0, 3)", lambda: ops.Conv2D(1, (0, 3))),
    case(GeometryError, "units must be an int >= 1, got 2.5", lambda: ops.Dense(2.5)),
    case(RangeError, "rate must be in [0, 1), got -0.1", lambda: ops.Dropout(-0.1)),
    case(ShapeError, "Dense needs a flat input, got (1, 4, 4): put Flatten() before it", lambda: ops.Network("n", (1, 4, 4), (ops.Dense(3),))),
    case(ShapeError, "Conv2D needs an input of shape (c, h, w), got (16,)", lambda: ops.Network("n", (1, 4, 4), (ops.Flatten(), ops.Conv2D(1, 3)))),
    case(ShapeError, "takes the parameters ['weight', 'bias'], got ['weight']", lambda: ops.Conv2D(4, (3, 2))(X, weight=W)),
    case(ShapeError, "network 'n' must have at least one layer", lambda: ops.Network("n", (1, 4, 4), ())),
    case(ShapeError, "theta must have shape (5123,) for network 'mlp', got (4,)", lambda: NETWORK.parameters(U)),
    case(OpsError, "network must be one of lenet, lenet-relu, mlp, convnet, groupnet, alexnet, vgg, nin, googlenet, resnet18, resnet8, densenet, got 'vgg19'", lambda: ops.network("vgg19", (1, 28, 28), 10)),
    case(GeometryError, "must fit in the padded input", lambda: ops.network("alexnet", (1, 28, 28), 10)),
    # the engine
    case(ShapeError, "images must have shape (n, 1, 4, 4) for network 'mlp', got (5, 1, 4, 3)", lambda: ENGINE.load(IMAGES[..., 1:], BYTES)),
    case(DtypeError, "images must be uint8, got float32", lambda: ENGINE.load(IMAGES.astype(np.float32), BYTES)),
    case(LabelError, "labels must be in [0, 3), got 3", lambda: ENGINE.load(IMAGES, BYTES + np.uint8(1))),
    case(DtypeError, "labels must be uint8, got int64", lambda: ENGINE.load(IMAGES, BYTES.astype(int))),
    case(ShapeError, "labels must have shape (5,), one for each image, got (4,)", lambda: ENGINE.load(IMAGES, BYTES[:4])),
    # schedules, training, the textbook's own functions
    case(OpsError, "rate must be a finite number > 0, got 0", lambda: Constant(0)),
    case(OpsError, "every must be a finite number > 0, got 0", lambda: Step(0.1, 0)),
    case(OpsError, "rate must be a finite number > 0, got nan", lambda: Cosine(float("nan"))),
    case(OpsError, "rise must be in [0, 1], got 1.5", lambda: OneCycle(0.1, rise=1.5)),
    case(OpsError, "steps must be >= 0, got -1", lambda: WarmUp(Constant(0.1), -1)),
    case(ShapeError, "labels must have shape (5,), one for each row of logits, got (4,)", lambda: accuracy(A, LABELS[:4])),
    case(ShapeError, "k must fit on x (6, 7) and not be empty, got shape (7, 1)", lambda: reference.corr2d(X[0, 0], np.ones((7, 1)))),
    case(ShapeError, "k must have as many channels as x, 3 and at least one, got 2", lambda: reference.corr2d_multi_in(X[0], W[0, :2])),
    case(ShapeError, "k must have shape (o, 3, 1, 1), got (4, 3, 3, 2)", lambda: reference.corr2d_multi_in_out_1x1(X[0], W)),
    case(OpsError, "mode must be 'max' or 'avg', got 'min'", lambda: reference.pool2d(X[0, 0], (2, 2), "min")),
]
# fmt: on


@pytest.mark.parametrize(("call", "expected", "message"), CASES)
def test_a_wrong_argument_is_named_with_what_was_expected_and_what_came(call, expected, message):
    with pytest.raises(expected) as caught:
        call()
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_gpu_without_cupy_is_refused_with_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    with pytest.raises(Unsupported, match=r"device 'cuda' needs CuPy: install atelier-train\[cuda12\]"):
        ArrayEngine(NETWORK, ops.StepConfig(), device="cuda")


def test_cupy_without_a_gpu_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", SimpleNamespace(is_available=lambda: False))
    with pytest.raises(Unsupported, match="device 'cuda' needs a GPU, and CuPy finds none"):
        ArrayEngine(NETWORK, ops.StepConfig(), device="cuda")


def test_every_exception_is_a_value_error():
    for error in (OpsError, ShapeError, DtypeError, GeometryError, RangeError, LabelError, Unsupported):
        assert issubclass(error, ValueError)


def test_steps_of_a_wrong_network_are_refused():
    replica = Replica(np.zeros(3, np.float32), np.zeros(3, np.float32))
    steps = Steps(np.arange(2, dtype=np.int32), np.array([0, 2], np.int32), np.ones(1, np.float32))
    with pytest.raises(ShapeError, match=r"theta must have shape \(5123,\)"):
        ENGINE.run(replica, ENGINE.load(IMAGES, BYTES), steps)
