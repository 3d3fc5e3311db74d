"""Which training examples are trained on and which are held out."""

import numpy as np
import pytest

from service.config import TrainConfig, from_preset
from service.data.holdout import stratified_holdout
from service.rounds.split import Split

LABELS = np.random.default_rng(4).integers(0, 5, 200).astype(np.uint8)


def split_with(**given: object) -> Split:
    config: TrainConfig = from_preset({"holdout": 30, "seed": 6, **given})
    return Split.of(config, LABELS)


def test_the_stratified_examples_are_drawn_by_the_seed():
    split = split_with()
    np.testing.assert_array_equal(split.held_out, stratified_holdout(LABELS, 30, 6))
    assert set(split.held_out.tolist()) != set(split_with(seed=7).held_out.tolist())


def test_the_last_examples_are_those_at_the_end_in_their_order():
    assert split_with(holdout_by="last").held_out.tolist() == list(range(170, 200))


@pytest.mark.parametrize("by", ["stratified", "last"])
def test_every_example_is_in_one_part_and_both_are_in_ascending_order(by: str):
    split = split_with(holdout_by=by)
    assert sorted([*split.trained_on, *split.held_out]) == list(range(200))
    for part, size in ((split.trained_on, 170), (split.held_out, 30)):
        assert (part.shape, part.dtype) == ((size,), np.int32)
        assert (np.diff(part) > 0).all()


@pytest.mark.parametrize("by", ["stratified", "last"])
def test_without_a_holdout_all_examples_are_trained_on(by: str):
    split = split_with(holdout=0, holdout_by=by)
    assert split.trained_on.tolist() == list(range(200))
    assert split.held_out.shape == (0,)
