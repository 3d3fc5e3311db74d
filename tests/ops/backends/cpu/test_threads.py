"""Threads that share the work of kernels: the same bits, whoever computes what."""

from threading import current_thread

import numpy as np
import pytest

import ops
from ops.backends.cpu.threads import in_parts, shared, sharing, together
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica
from ops.testing.cases import pictures, steps

WIDE = ops.Network(
    "wide",
    (3, 32, 30),
    (
        *(
            ops.Conv2D(24, 5, stride=2, padding=2, bias=False),
            ops.BatchNorm2D(),
            ops.ReLU(),
            ops.MaxPool2D(3, stride=2),
        ),
        ops.Residual((ops.Conv2D(24, 3, padding=1, groups=3), ops.ReLU(), ops.Conv2D(24, 3, padding=1))),
        *(ops.Conv2D(160, 3, padding=1), ops.ReLU(), ops.AvgPool2D(global_pool=True), ops.Flatten(), ops.Dense(4)),
    ),
)


def trained(threads: int) -> np.ndarray:
    images, labels = pictures(WIDE)
    engine = ArrayEngine(WIDE, ops.StepConfig(momentum=0.9))
    start = Replica(WIDE.init_parameters(1), np.zeros(WIDE.num_parameters, np.float32))
    with shared(threads):
        return engine.run(start, engine.load(images, labels), steps(60, 37, 1)).replica.theta


def test_steps_end_in_the_same_bits_however_many_threads_share_them():
    alone = trained(1)
    for threads in (2, 3, 7):
        np.testing.assert_array_equal(trained(threads), alone)


def test_every_part_is_done_once_and_by_several_threads():
    done, names = np.zeros(100, int), set()

    def work(part: slice) -> None:
        done[part] += 1
        names.add(current_thread().name)

    with shared(4):
        assert sharing() == 4
        in_parts(100, work)
        in_parts(0, work)
    assert (done == 1).all()
    assert len(names) > 1
    assert sharing() == 1


def test_a_helper_has_no_helpers():
    found = []
    with shared(3):
        together(lambda: None, lambda: found.append(sharing()))
    assert found == [1]


def test_what_fails_in_a_helper_fails_in_the_caller():
    def fail() -> None:
        raise ArithmeticError("no")

    with shared(2), pytest.raises(ArithmeticError, match="no"):
        together(lambda: None, fail)
