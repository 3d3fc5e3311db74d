"""The fully connected operator as loops."""

import numpy as np


def dense(x: np.ndarray, w: np.ndarray, b: np.ndarray | None = None) -> np.ndarray:
    """See `ops.dense.dense`."""
    y = np.zeros((len(x), len(w)))
    for n, unit in np.ndindex(y.shape):
        for i in range(w.shape[1]):
            y[n, unit] += float(x[n, i]) * float(w[unit, i])
        if b is not None:
            y[n, unit] += b[unit]
    return y


def dense_grad(dy: np.ndarray, x: np.ndarray, w: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `ops.dense.dense_grad`."""
    dx, dw, db = np.zeros(x.shape), np.zeros(w.shape), np.zeros(len(w))
    for n, unit in np.ndindex(dy.shape):
        db[unit] += dy[n, unit]
        for i in range(w.shape[1]):
            dx[n, i] += float(dy[n, unit]) * float(w[unit, i])
            dw[unit, i] += float(dy[n, unit]) * float(x[n, i])
    return dx, dw, db
