"""Losses; each returns its value and its gradient, since the two share their work."""

from collections.abc import Sequence

import numpy as np

from ops.arrays import Array, array_module
from ops.checks import check_filled, check_floats, check_in, check_like, check_shape
from ops.errors import DtypeError, LabelError, ShapeError


def softmax_cross_entropy(
    logits: Array, labels: Array, *, label_smoothing: float = 0.0, class_weights: Sequence[float] | Array = ()
) -> tuple[Array, Array]:
    """The mean cross-entropy of softmax(logits) against the labels, in nats, and its gradient.

    Args:
        logits: (n, classes) float32 or float64, of any size: the largest is subtracted before exp is taken.
        labels: (n,) integers in [0, classes).
        label_smoothing: The share of each target spread evenly over all classes (Szegedy et al., Rethinking the
            Inception architecture, 2016).
        class_weights: What each class's part of the loss is multiplied by, one number a class; empty for 1 everywhere.
            An example with targets t has the loss -sum_k w_k t_k log p_k. The mean is over the examples, whatever they
            weigh: PyTorch's `cross_entropy(..., weight=w, reduction="sum")`, divided by n.

    Returns:
        `(loss, dlogits)`: a number of the logits' dtype (an array without axes on a GPU), and (n, classes). The mean
        over no examples is 0.

    Raises:
        ShapeError: There isn't one weight for each class.
        LabelError: A label on the host is outside the classes. Labels on a GPU are not read, which would make the host
            wait; there a label outside the classes turns the loss into NaN.
    """
    check_floats("logits", logits, ("n", "classes"))
    check_filled("logits", logits)
    check_in("label_smoothing", label_smoothing, 0, 1)
    _check_labels(labels, logits)
    xp = array_module(logits)
    n, classes = logits.shape
    weighted = len(class_weights) > 0
    check_class_weights(class_weights, classes)
    shifted = logits - logits.max(axis=1, keepdims=True)
    exponentials = xp.exp(shifted)
    totals = exponentials.sum(axis=1, keepdims=True)
    targets = (xp.asarray(labels)[:, None] == xp.arange(classes)).astype(logits.dtype)
    targets *= xp.where(targets.any(axis=1, keepdims=True), logits.dtype.type(1), logits.dtype.type(np.nan))
    if label_smoothing:
        targets *= 1 - label_smoothing
        targets += label_smoothing / classes
    if weighted:
        targets *= xp.asarray(class_weights, dtype=logits.dtype)
    divisor = max(n, 1)
    loss = ((xp.log(totals) - shifted) * targets).sum() / logits.dtype.type(divisor)
    exponentials /= totals
    if weighted:
        exponentials *= targets.sum(axis=1, keepdims=True)
    exponentials -= targets
    exponentials /= divisor
    return loss, exponentials


def check_class_weights(class_weights: Sequence[float] | Array, classes: int) -> None:
    """Raises ShapeError unless there is a weight for each class, or none at all."""
    if len(class_weights) not in (0, classes):
        raise ShapeError(f"class_weights must have {classes} numbers, one for each class, got {len(class_weights)}")


def squared_error(y: Array, target: Array) -> tuple[Array, Array]:
    """The sum of (y - target)² over all numbers, and its gradient.

    Args:
        y: Any shape, float32 or float64.
        target: The same shape and dtype.

    Returns:
        `(loss, dy)`, where dy = 2 (y - target).
    """
    check_floats("y", y, [f"axis {axis}" for axis in range(y.ndim)] if hasattr(y, "ndim") else ())
    check_like("target", target, "y", y)
    check_shape("target", target, y.shape)
    difference = y - target
    return (difference * difference).sum(), 2 * difference


def _check_labels(labels: Array, logits: Array) -> None:
    if not hasattr(labels, "dtype") or labels.dtype.kind not in "iu":
        raise DtypeError(f"labels must be an array of integers, got {getattr(labels, 'dtype', type(labels).__name__)}")
    check_shape("labels", labels, logits.shape[:1])
    if isinstance(labels, np.ndarray) and len(labels):
        low, high = int(labels.min()), int(labels.max())
        if low < 0 or high >= logits.shape[1]:
            raise LabelError(f"labels must be in [0, {logits.shape[1]}), got {low if low < 0 else high}")
