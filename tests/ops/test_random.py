"""The counter-based generator against its authors' published answers."""

import numpy as np
import pytest

from ops.random import generator, philox4x32, seed_key
from tests.arrays import host

# Lines "philox4x32 10" of kat_vectors in the Random123 distribution (D. E. Shaw Research): counter, key, answer.
KNOWN_ANSWERS = """
00000000 00000000 00000000 00000000 00000000 00000000 6627e8d5 e169c58d bc57ac4c 9b00dbd8
ffffffff ffffffff ffffffff ffffffff ffffffff ffffffff 408f276d 41c83b0e a20bc7c6 6d5451fd
243f6a88 85a308d3 13198a2e 03707344 a4093822 299f31d0 d16cfe09 94fdcceb 5001e420 24126ea1
"""


@pytest.mark.parametrize("line", KNOWN_ANSWERS.split("\n")[1:-1])
def test_philox_gives_the_published_answers(xp, line):
    numbers = [int(word, 16) for word in line.split()]
    counter = tuple(xp.asarray([number], dtype=np.uint32) for number in numbers[:4])
    words = philox4x32(counter, (numbers[4], numbers[5]))
    assert [int(word[0]) for word in words] == numbers[6:]


def test_many_counters_at_once_give_what_each_gives_alone(xp):
    examples = xp.asarray(np.array([[5], [2**31 - 1], [0]], np.int32))
    block = xp.arange(4, dtype=np.uint32)
    together = philox4x32((examples, 7, block, 2), (1, 2**32 - 1))
    for row in range(3):
        for column in range(4):
            counter = (examples[row, 0], 7, block[column], 2)
            alone = philox4x32(tuple(xp.asarray(c) for c in counter), (1, 2**32 - 1))
            assert [int(w[row, column]) for w in together] == [int(w) for w in alone]


def test_philox_words_are_uint32_and_spread_evenly(xp):
    words = philox4x32((xp.arange(20_000), 0, 0, 0), (3, 4))
    for word in words:
        assert word.dtype == np.uint32
        share = np.bincount(host(word) >> 29, minlength=8) / 20_000
        # each eighth holds 1/8 with a standard deviation of 0.0023: five of them
        np.testing.assert_allclose(share, 1 / 8, atol=0.012)


def test_a_seed_of_64_bits_is_used_whole():
    assert seed_key(0x0123456789ABCDEF) == (0x89ABCDEF, 0x01234567)
    assert seed_key(5) == (5, 0)


def test_generators_depend_on_seed_purpose_and_numbers_alone():
    first = generator(1, "order", 2).integers(0, 2**63, 4)
    assert (first == generator(1, "order", 2).integers(0, 2**63, 4)).all()
    for other in (
        generator(2, "order", 2),
        generator(1, "initial", 2),
        generator(1, "order", 3),
        generator(1, "order"),
    ):
        assert (first != other.integers(0, 2**63, 4)).any()
