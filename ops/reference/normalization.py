"""Normalisation as loops: every gradient is a sum of the chain rule's terms, as the papers write them."""

from collections.abc import Iterator, Sequence
from math import sqrt

import numpy as np

Index = tuple[int, ...]
Sets = list[list[Index]]
"""Indices of the numbers that are normalised together, set by set."""


def normalize(x: np.ndarray, means: Sequence[float], deviations: Sequence[float]) -> np.ndarray:
    """See `ops.layers.Normalize`."""
    y = np.zeros(np.shape(x))
    for at in np.ndindex(y.shape):
        y[at] = (x[at] - means[at[1]]) / deviations[at[1]]
    return y


def normalize_grad(dy: np.ndarray, deviations: Sequence[float]) -> np.ndarray:
    """See `ops.layers.Normalize`."""
    dx = np.zeros(np.shape(dy))
    for at in np.ndindex(dx.shape):
        dx[at] = dy[at] / deviations[at[1]]
    return dx


def batch_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, *, epsilon: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `ops.normalization.batch_norm`."""
    sets = _channels(x)
    moments = [_moments(x, members) for members in sets]
    y = _normalised(x, weight, bias, sets, moments, epsilon)
    return y, np.array([mean for mean, _ in moments]), np.array([variance for _, variance in moments])


def batch_norm_grad(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, *, epsilon: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `ops.normalization.batch_norm_grad`."""
    return _gradients(dy, x, weight, _channels(x), epsilon)


def batch_norm_inference(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    mean: np.ndarray,
    variance: np.ndarray,
    *,
    epsilon: float = 1e-5,
) -> np.ndarray:
    """See `ops.normalization.batch_norm_inference`."""
    moments = [(float(m), float(v)) for m, v in zip(mean, variance, strict=True)]
    return _normalised(x, weight, bias, _channels(x), moments, epsilon)


def group_norm(
    x: np.ndarray, weight: np.ndarray, bias: np.ndarray, groups: int, *, epsilon: float = 1e-5
) -> np.ndarray:
    """See `ops.normalization.group_norm`."""
    sets = _groups(x, groups)
    return _normalised(x, weight, bias, sets, [_moments(x, members) for members in sets], epsilon)


def group_norm_grad(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, groups: int, *, epsilon: float = 1e-5
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """See `ops.normalization.group_norm_grad`."""
    return _gradients(dy, x, weight, _groups(x, groups), epsilon)


def _channels(x: np.ndarray) -> Sets:
    return [[at for at in _indices(x) if at[1] == channel] for channel in range(x.shape[1])]


def _groups(x: np.ndarray, groups: int) -> Sets:
    size = x.shape[1] // groups
    return [
        [at for at in _indices(x) if at[0] == n and at[1] // size == group]
        for n in range(len(x))
        for group in range(groups)
    ]


def _indices(x: np.ndarray) -> Iterator[Index]:
    return np.ndindex(x.shape)


def _moments(x: np.ndarray, members: list[Index]) -> tuple[float, float]:
    mean = sum(float(x[at]) for at in members) / len(members)
    return mean, sum((float(x[at]) - mean) ** 2 for at in members) / len(members)


def _normalised(
    x: np.ndarray,
    weight: np.ndarray,
    bias: np.ndarray,
    sets: Sets,
    moments: list[tuple[float, float]],
    epsilon: float,
) -> np.ndarray:
    y = np.zeros(x.shape)
    for members, (mean, variance) in zip(sets, moments, strict=True):
        for at in members:
            y[at] = (float(x[at]) - mean) / sqrt(variance + epsilon) * weight[at[1]] + bias[at[1]]
    return y


def _gradients(
    dy: np.ndarray, x: np.ndarray, weight: np.ndarray, sets: Sets, epsilon: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The equations of Ioffe and Szegedy (2015, section 3), set by set."""
    dx, dweight, dbias = np.zeros(x.shape), np.zeros(len(weight)), np.zeros(len(weight))
    for members in sets:
        mean, variance = _moments(x, members)
        deviation = sqrt(variance + epsilon)
        dvariance = dmean = 0.0
        for at in members:
            normal, dnormal = (float(x[at]) - mean) / deviation, float(dy[at]) * weight[at[1]]
            dweight[at[1]] += dy[at] * normal
            dbias[at[1]] += dy[at]
            dvariance += dnormal * (float(x[at]) - mean) * -0.5 * deviation**-3
            dmean += -dnormal / deviation
        for at in members:
            from_variance = dvariance * 2 * (float(x[at]) - mean) / len(members)
            dx[at] = dy[at] * weight[at[1]] / deviation + from_variance + dmean / len(members)
    return dx, dweight, dbias
