"""What is asked of cuDNN: the same bits every time, and float32 unless less will do."""

import pytest

from ops.backends.cuda.convolution import Convolution, Problem
from ops.backends.cuda.cudnn import Note
from ops.backends.cuda.plans import acceptable

OF = Convolution((2, 12, 12, 16), (32, 3, 3, 16), (1, 1), (1, 1), (1, 1))


@pytest.mark.parametrize("product", ["forward", "data", "weights"])
def test_an_engine_whose_bits_may_differ_is_never_taken(product):
    for tensor_cores in (False, True):
        problem = Problem(product, OF, tensor_cores)
        assert acceptable(frozenset(), problem)
        assert not acceptable(frozenset({Note.NONDETERMINISTIC}), problem)
        assert not acceptable(frozenset({Note.REDUCED_PRECISION_REDUCTION}), problem)


def test_tensor_cores_are_taken_only_where_factors_may_be_rounded():
    assert acceptable(frozenset({Note.TENSOR_CORE}), Problem("forward", OF, tensor_cores=True))
    for note in (Note.TENSOR_CORE, Note.DOWN_CONVERT_INPUTS):
        assert not acceptable(frozenset({note}), Problem("forward", OF, tensor_cores=False))
