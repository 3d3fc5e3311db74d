"""Figures of an evaluation, against scikit-learn's definitions written out."""

import numpy as np
import pytest

from service.training.metrics import BINS, measure

NAMES = ("a", "b", "c", "d")


def confident(shares: list[list[float]]) -> np.ndarray:
    """Logits whose softmax is these probabilities."""
    return np.log(np.array(shares)).astype(np.float32)


def test_balanced_accuracy_is_the_mean_recall_of_the_classes_that_there_are_examples_of():
    labels = np.array([0] * 8 + [1] * 2 + [2], np.uint8)
    predicted = np.array([0] * 8 + [1, 0] + [0])
    evaluation = measure(np.eye(4, dtype=np.float32)[predicted], labels, NAMES)
    assert evaluation.balanced_accuracy == pytest.approx((8 / 8 + 1 / 2 + 0 / 1) / 3)
    assert evaluation.accuracy == pytest.approx(9 / 11)


def test_the_calibration_error_is_that_of_guo_et_al():
    """ECE = sum over the bins of |B_m| / n * |acc(B_m) - conf(B_m)|, with B_m in ((m - 1) / M, m / M]."""
    random = np.random.default_rng(1)
    logits = (3 * random.normal(size=(500, 4))).astype(np.float32)
    labels = random.integers(0, 4, 500).astype(np.uint8)
    powers = np.exp(logits.astype(np.float64))
    shares = powers / powers.sum(axis=1, keepdims=True)
    expected = 0.0
    for low in range(15):
        inside = (shares.max(axis=1) > low / 15) & (shares.max(axis=1) <= (low + 1) / 15)
        if inside.any():
            right = (shares.argmax(axis=1) == labels)[inside].mean()
            expected += inside.mean() * abs(right - shares.max(axis=1)[inside].mean())
    evaluation = measure(logits, labels, NAMES)
    assert BINS == len(evaluation.calibration) == 15
    assert sum(bin_.count for bin_ in evaluation.calibration) == 500
    assert evaluation.calibration_error == pytest.approx(expected)


def test_certainty_falls_into_the_last_bin():
    evaluation = measure(np.array([[200.0, 0, 0, 0]], np.float32), np.zeros(1, np.uint8), NAMES)
    assert [bin_.count for bin_ in evaluation.calibration] == [0] * 14 + [1]


def test_one_who_is_half_sure_and_half_right_is_calibrated():
    logits = confident([[0.5, 0.3, 0.1, 0.1]] * 10)
    labels = np.array([0] * 5 + [1] * 5, np.uint8)
    assert measure(logits, labels, NAMES).calibration_error == pytest.approx(0, abs=1e-6)
