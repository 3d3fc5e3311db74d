"""What guessing reaches: no constant answer does better."""

from math import log

import numpy as np
import pytest

from service.config import from_preset
from service.training.guessing import Guessing, advice


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("counts", [(10, 10), (90, 5, 5), (7, 0, 3)])
def test_no_constant_answer_has_a_lower_loss(counts: tuple[int, ...], smoothing: float, weighted: bool):
    weights = tuple(range(1, len(counts) + 1)) if weighted else ()
    labels = np.repeat(np.arange(len(counts)), counts)
    targets = (1 - smoothing) * np.eye(len(counts))[labels] + smoothing / len(counts)
    mean = targets.mean(axis=0) * (weights or 1)
    answers = np.random.default_rng(0).dirichlet(np.ones(len(counts)), 2000)
    answers = np.vstack([answers, 0.999999 * mean / mean.sum() + 0.000001 / len(counts)])
    losses = -(mean * np.log(answers)).sum(axis=1)
    guessing = Guessing.of(counts, smoothing, weights)
    assert losses.min() >= guessing.loss - 1e-12
    assert losses[-1] == pytest.approx(guessing.loss, abs=1e-4)
    assert guessing.accuracy == max(counts) / sum(counts)


def test_balanced_classes_are_guessed_with_the_logarithm_of_their_number():
    assert Guessing.of([600] * 10).loss == pytest.approx(log(10))


def test_what_to_change_fits_the_training():
    lenet = from_preset({"epochs": 10})
    assert advice(lenet, 24, fell_back=False) == (
        "take more steps: --epochs 84 makes 2,016 instead of 240; or train a network without sigmoids: --model "
        "lenet-relu; or average later: --solo-share 0.5; or train with a lower learning rate, such as --lr 0.3; or see "
        "whether the labels belong to the pictures"
    )
    relu = from_preset({"model": "lenet-relu", "averaging": {"shards": 1}})
    assert advice(relu, 469, fell_back=False) == (
        "train with a lower learning rate, such as --lr 0.02; or see whether the labels belong to the pictures"
    )
    assert advice(relu, 469, fell_back=True) == (
        "train with a lower learning rate, such as --lr 0.02; or publish the best epoch, with --holdout N --keep best"
    )
