"""How many places a window has."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ops.geometry import conv_output_size, pair, pool_output_size
from ops.reference.pool import _starts


def test_an_int_stands_for_a_pair():
    assert pair("size", 3) == (3, 3)
    assert pair("size", (1, 2)) == pair("size", [1, 2]) == (1, 2)


@given(n=st.integers(1, 30), k=st.integers(1, 6), s=st.integers(1, 5), p=st.integers(0, 4), d=st.integers(1, 3))
def test_a_convolution_has_a_place_wherever_its_kernel_fits(n, k, s, p, d):
    starts = [i for i in range(-p, n + p, s) if i + d * (k - 1) < n + p]
    if starts:
        assert conv_output_size((n, n), (k, k), (s, s), (p, p), (d, d)) == (len(starts), len(starts))


@given(n=st.integers(1, 30), k=st.integers(1, 6), s=st.integers(1, 5), p=st.integers(0, 5), ceil_mode=st.booleans())
def test_pooling_has_the_places_that_the_reference_counts(n, k, s, p, ceil_mode):
    starts = _starts(n, k, s, p, ceil_mode)
    if starts and p < k:
        assert pool_output_size((n, n), (k, k), (s, s), (p, p), ceil_mode) == (len(starts), len(starts))
        assert np.all(np.array(starts) < n)
        assert starts[0] + k > 0
