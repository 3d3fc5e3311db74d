"""Dropout's masks: which example keeps what."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from ops.layers import Context
from ops.random import philox4x32, seed_key
from tests.arrays import check_gradient, host, normal
from tests.strategies import DTYPES


@given(shape=st.sampled_from([(3, 1), (2, 9), (3, 2, 3, 5)]), rate=st.sampled_from([0.0, 0.25, 0.5, 0.9]), dtype=DTYPES)
@settings(max_examples=20)
def test_each_element_follows_its_own_word(xp, shape, rate, dtype):
    examples = xp.asarray(np.arange(10, 10 + shape[0], dtype=np.int32))
    seed, epoch, position = 2**40 + 9, 3, 5
    mask = host(ops.dropout_mask(normal(xp, 1, shape, dtype), rate, examples, seed, epoch, position))
    assert mask.shape == shape
    assert mask.dtype == dtype
    for row, flat in enumerate(mask.reshape(shape[0], -1)):
        for element, value in enumerate(flat):
            counter = tuple(np.asarray(c) for c in (10 + row, epoch, element // 4, 2 + position))
            word = int(philox4x32(counter, seed_key(seed))[element % 4])
            assert value == (dtype.type(1 / (1 - rate)) if word >= round(rate * 2**32) else 0)


def test_the_mask_belongs_to_the_example_and_not_to_its_place(xp):
    x = normal(xp, 1, (6, 11))
    order = [4, 1, 5, 0, 3, 2]
    examples = np.array([7, 70, 700, 7000, 3, 9], np.int32)
    mask = host(ops.dropout_mask(x, 0.5, xp.asarray(examples), 1, 2, 3))
    shuffled = host(ops.dropout_mask(x, 0.5, xp.asarray(examples[order]), 1, 2, 3))
    np.testing.assert_array_equal(shuffled, mask[order])


@pytest.mark.parametrize("changed", [{"seed": 2}, {"epoch": 1}, {"position": 1}])
def test_seed_epoch_and_position_each_change_the_mask(xp, changed):
    x, examples = normal(xp, 1, (4, 100)), xp.arange(4)
    key = {"seed": 1, "epoch": 0, "position": 0}
    assert (ops.dropout_mask(x, 0.5, examples, **key) != ops.dropout_mask(x, 0.5, examples, **(key | changed))).any()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.8])
def test_the_kept_share_is_as_asked_and_the_mean_stays(xp, rate):
    mask = host(ops.dropout_mask(xp.ones((100, 400)), rate, xp.arange(100), 1, 0, 0))
    # the share of 40,000 has a standard deviation of at most 0.0025: five of them
    np.testing.assert_allclose((mask > 0).mean(), 1 - rate, atol=0.0125)
    np.testing.assert_allclose(mask.mean(), 1, atol=0.0125 / (1 - rate))


def test_the_layer_drops_in_training_only(xp):
    x, layer = normal(xp, 1, (3, 50)), ops.Dropout(0.5)
    y, saved = layer.forward(x, {}, Context(training=True, examples=xp.arange(3)))
    assert (host(y) == 0).any()
    dy = normal(xp, 2, x.shape)
    np.testing.assert_array_equal(host(layer.backward(dy, saved, {})[0]), host(dy) * host(saved))
    assert layer(x) is x
    assert layer.backward(dy, None, {})[0] is dy


def test_the_layers_gradient_agrees_with_finite_differences(xp):
    x, dy, layer = normal(xp, 1, (3, 20)), normal(xp, 2, (3, 20)), ops.Dropout(0.3)
    context = Context(training=True, seed=4, examples=xp.arange(3))
    _, saved = layer.forward(x, {}, context)
    check_gradient(lambda x: (dy * layer.forward(x, {}, context)[0]).sum(), x, layer.backward(dy, saved, {})[0], 3)
