"""The specification: every operator as loops over single numbers, in float64, for reading and for testing against.

Nothing here is fast and nothing here will be made fast. `textbook` holds the chapter's own functions on
single images; the others take the arguments of the operators of the same names and do what those promise.
"""

from ops.reference.activation import gelu, leaky_relu, relu, sigmoid, silu, tanh
from ops.reference.conv import conv2d, conv2d_grad
from ops.reference.dense import dense, dense_grad
from ops.reference.loss import softmax_cross_entropy, squared_error
from ops.reference.normalization import (
    batch_norm,
    batch_norm_grad,
    batch_norm_inference,
    group_norm,
    group_norm_grad,
    normalize,
    normalize_grad,
)
from ops.reference.pool import (
    adaptive_avg_pool2d,
    adaptive_avg_pool2d_grad,
    avg_pool2d,
    avg_pool2d_grad,
    max_pool2d,
    max_pool2d_grad,
)
from ops.reference.textbook import (
    corr2d,
    corr2d_multi_in,
    corr2d_multi_in_out,
    corr2d_multi_in_out_1x1,
    pool2d,
)

__all__ = [
    "adaptive_avg_pool2d",
    "adaptive_avg_pool2d_grad",
    "avg_pool2d",
    "avg_pool2d_grad",
    "batch_norm",
    "batch_norm_grad",
    "batch_norm_inference",
    "conv2d",
    "conv2d_grad",
    "corr2d",
    "corr2d_multi_in",
    "corr2d_multi_in_out",
    "corr2d_multi_in_out_1x1",
    "dense",
    "dense_grad",
    "gelu",
    "group_norm",
    "group_norm_grad",
    "leaky_relu",
    "max_pool2d",
    "max_pool2d_grad",
    "normalize",
    "normalize_grad",
    "pool2d",
    "relu",
    "sigmoid",
    "silu",
    "softmax_cross_entropy",
    "squared_error",
    "tanh",
]
