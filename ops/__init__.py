"""The mathematics: operators with their gradients, layers, networks and the engines that run them.

Operators take and return NumPy or CuPy arrays, float32 or float64, with axes (n, c, h, w). Importing
this package imports neither CuPy nor Numba.
"""

from ops.activation import (
    gelu,
    gelu_grad,
    leaky_relu,
    leaky_relu_grad,
    relu,
    relu_grad,
    sigmoid,
    sigmoid_grad,
    silu,
    silu_grad,
    tanh,
    tanh_grad,
)
from ops.adaptive_pool import adaptive_avg_pool2d, adaptive_avg_pool2d_grad
from ops.conv import conv2d, conv2d_grad
from ops.dense import dense, dense_grad
from ops.dropout import dropout_mask
from ops.errors import DtypeError, GeometryError, LabelError, OpsError, RangeError, ShapeError, Unsupported
from ops.layers import (
    GELU,
    AdaptiveAvgPool2D,
    AvgPool2D,
    BatchNorm2D,
    Concat,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GroupNorm,
    Layer,
    LeakyReLU,
    MaxPool2D,
    Normalize,
    ReLU,
    Residual,
    Resize,
    Sigmoid,
    SiLU,
    Tanh,
)
from ops.loss import softmax_cross_entropy, squared_error
from ops.network import Network
from ops.normalization import (
    batch_norm,
    batch_norm_grad,
    batch_norm_inference,
    batch_norm_inference_grad,
    group_norm,
    group_norm_grad,
)
from ops.pool import avg_pool2d, avg_pool2d_grad, max_pool2d, max_pool2d_grad
from ops.resize import resize2d, resize2d_grad
from ops.step_config import StepConfig
from ops.zoo import ZOO, network

__all__ = [
    "GELU",
    "ZOO",
    "AdaptiveAvgPool2D",
    "AvgPool2D",
    "BatchNorm2D",
    "Concat",
    "Conv2D",
    "Dense",
    "Dropout",
    "DtypeError",
    "Flatten",
    "GeometryError",
    "GroupNorm",
    "LabelError",
    "Layer",
    "LeakyReLU",
    "MaxPool2D",
    "Network",
    "Normalize",
    "OpsError",
    "RangeError",
    "ReLU",
    "Residual",
    "Resize",
    "ShapeError",
    "SiLU",
    "Sigmoid",
    "StepConfig",
    "Tanh",
    "Unsupported",
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_grad",
    "avg_pool2d",
    "avg_pool2d_grad",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_inference",
    "batch_norm_inference_grad",
    "conv2d",
    "conv2d_grad",
    "dense",
    "dense_grad",
    "dropout_mask",
    "gelu",
    "gelu_grad",
    "group_norm",
    "group_norm_grad",
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
    "silu",
    "silu_grad",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
    "tanh_grad",
]
