"""The mathematics: operators with their gradients, layers, networks and the engines that run them.

Operators take and return NumPy or CuPy arrays, float32 or float64, with axes (n, c, h, w). Importing
this package imports neither CuPy nor Numba.
"""

from ops.activation import (
    leaky_relu,
    leaky_relu_grad,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    tanh,
    tanh_grad,
)
from ops.conv import conv2d, conv2d_grad
from ops.dense import dense, dense_grad
from ops.dropout import dropout_mask
from ops.errors import DtypeError, GeometryError, LabelError, OpsError, RangeError, ShapeError, Unsupported
from ops.layers import (
    AvgPool2D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Layer,
    LeakyReLU,
    MaxPool2D,
    ReLU,
    Resize,
    Sigmoid,
    Tanh,
)
from ops.loss import softmax_cross_entropy, squared_error
from ops.network import Network
from ops.pool import avg_pool2d, avg_pool2d_grad, max_pool2d, max_pool2d_grad
from ops.resize import resize2d, resize2d_grad
from ops.step_config import StepConfig
from ops.zoo import ZOO, network

__all__ = [
    "ZOO",
    "AvgPool2D",
    "Conv2D",
    "Dense",
    "Dropout",
    "DtypeError",
    "Flatten",
    "GeometryError",
    "LabelError",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "Network",
    "OpsError",
    "RangeError",
    "ReLU",
    "Resize",
    "ShapeError",
    "Sigmoid",
    "StepConfig",
    "Tanh",
    "Unsupported",
    "avg_pool2d",
    "avg_pool2d_grad",
    "conv2d",
    "conv2d_grad",
    "dense",
    "dense_grad",
    "dropout_mask",
    "leaky_relu",
    "leaky_relu_grad",
    "max_pool2d",
    "max_pool2d_grad",
    "network",
    "relu",
    "relu_grad",
    "resize2d",
    "resize2d_grad",
    "sigmoid",
    "sigmoid_grad",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
    "tanh_grad",
]
