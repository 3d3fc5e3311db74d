"""Which examples are kept out: of every class the same share, by the seed."""

import numpy as np
import pytest

from service.data.holdout import draw_from_classes, stratified_holdout


@pytest.mark.parametrize("seed", [0, 7])
def test_sorted_labels_give_every_class_its_share(seed: int):
    labels = np.repeat(np.arange(5, dtype=np.uint8), [500, 300, 100, 90, 10])
    held_out = stratified_holdout(labels, 100, seed)
    assert np.bincount(labels[held_out]).tolist() == [50, 30, 10, 9, 1]
    assert held_out.dtype == np.int32
    assert (np.diff(held_out) > 0).all()


def test_the_seed_decides_and_nothing_else():
    labels = np.random.default_rng(1).integers(0, 4, 400).astype(np.uint8)
    first = stratified_holdout(labels, 80, 3)
    np.testing.assert_array_equal(first, stratified_holdout(labels.copy(), 80, 3))
    assert set(first.tolist()) != set(stratified_holdout(labels, 80, 4).tolist())


@pytest.mark.parametrize("count", range(1, 12))
def test_any_number_is_drawn_exactly_and_a_class_keeps_an_example_if_it_can(count: int):
    labels = np.array([0] * 6 + [1] * 5 + [3], np.uint8)
    held_out = stratified_holdout(labels, count, 0)
    assert len(held_out) == len(set(held_out.tolist())) == count
    left = np.bincount(np.delete(labels, held_out), minlength=4)
    # With 10 and 11 of 12 drawn, two and one are left, and one class or two have to go.
    assert np.count_nonzero(left) == min(3, 12 - count)


def test_shares_that_do_not_come_out_even_are_rounded_by_the_largest_remainder():
    labels = np.repeat(np.arange(3, dtype=np.uint8), [50, 30, 20])  # quotas 3.5, 2.1 and 1.4 of 7
    assert np.bincount(labels[stratified_holdout(labels, 7, 0)]).tolist() == [4, 2, 1]


def test_nothing_is_drawn_where_nothing_is_wanted():
    assert stratified_holdout(np.zeros(5, np.uint8), 0, 0).shape == (0,)


def test_classes_seeds_and_purposes_are_drawn_from_independently():
    labels = np.repeat(np.arange(2, dtype=np.uint8), 50)
    counts = {0: 20, 1: 20}
    drawn = draw_from_classes(labels, counts, 3, "holdout")
    places = [set(drawn[labels[drawn] == label] % 50) for label in counts]
    assert [len(of_class) for of_class in places] == [20, 20]
    assert places[0] != places[1]
    for seed, purpose in ((4, "holdout"), (3, "test split")):
        assert set(draw_from_classes(labels, counts, seed, purpose)) != set(drawn)
