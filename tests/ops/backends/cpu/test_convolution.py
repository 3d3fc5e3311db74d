"""Convolution by kernels made for its geometry, against the loops of the reference."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import ops
from ops import conv, reference
from ops.backends.cpu import convolution
from ops.engines.simd.cpu import cpu
from tests.arrays import check_near

pytestmark = pytest.mark.skipif(not cpu().lanes, reason="no vectors that kernels could use")


@dataclass(frozen=True)
class Case:
    """What is convolved: (n, c, h, w) with (o, c / groups, r, s)."""

    x: tuple[int, ...]
    w: tuple[int, ...]
    window: dict[str, Any]


CASES = {
    "more filters than a tile, not a multiple": Case((3, 2, 6, 7), (39, 2, 3, 3), {"padding": 1}),
    "several blocks of channels": Case((1, 70, 5, 4), (33, 70, 2, 3), {}),
    "a plane of fewer places than lanes": Case((2, 3, 3, 3), (5, 3, 3, 3), {"padding": (1, 0)}),
    "strides": Case((2, 3, 9, 11), (4, 3, 3, 2), {"stride": (2, 3), "padding": 1}),
    "dilation": Case((2, 2, 7, 8), (4, 2, 3, 2), {"dilation": (2, 3), "padding": 2}),
    "groups": Case((2, 6, 5, 6), (12, 3, 3, 3), {"groups": 2, "padding": 1}),
    "single pixels that leave some out": Case((2, 4, 5, 5), (8, 4, 1, 1), {"stride": 2}),
    "padding wider than the filter": Case((1, 2, 3, 3), (4, 2, 1, 2), {"padding": 2}),
}


def arguments(case: Case) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(1)
    x, w, b = (rng.normal(size=shape).astype(np.float32) for shape in (case.x, case.w, case.w[:1]))
    dy = rng.normal(size=reference.conv2d(x, w, None, **case.window).shape).astype(np.float32)
    return x, w, b, dy


@pytest.fixture
def kernels_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """However small a convolution is."""
    monkeypatch.setattr(conv, "SMALLEST_FOR_KERNELS", 0)


def counted_calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the functions that are called from now on."""
    calls = []

    def counted(name: str, real: Any) -> Any:
        def call(*arguments: Any) -> Any:
            calls.append(name)
            return real(*arguments)

        return call

    for name in ("convolve", "weight_gradient", "input_gradient"):
        monkeypatch.setattr(convolution, name, counted(name, getattr(convolution, name)))
    return calls


@pytest.mark.usefixtures("kernels_for_all")
@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_outputs_and_gradients_are_what_the_loops_say(monkeypatch: pytest.MonkeyPatch, case: Case):
    monkeypatch.setattr(convolution, "CHUNK_BYTES", 600)  # of some cases several examples at a time, of others one
    x, w, b, dy = arguments(case)
    calls = counted_calls(monkeypatch)
    check_near(ops.conv2d(x, w, b, **case.window), reference.conv2d(x, w, b, **case.window), np.float32)
    ours = ops.conv2d_grad(dy, x, w, **case.window)
    theirs = reference.conv2d_grad(dy, x, w, **case.window)
    for name, gradient, expected in zip(("dx", "dw", "db"), ours, theirs, strict=True):
        assert gradient is not None, name
        check_near(gradient, expected, np.float32)
    assert {"convolve", "weight_gradient", "input_gradient"} <= set(calls)


@pytest.mark.usefixtures("kernels_for_all")
def test_an_examples_output_does_not_depend_on_the_others(monkeypatch: pytest.MonkeyPatch):
    x, w, b, _ = arguments(CASES["more filters than a tile, not a multiple"])
    together = ops.conv2d(x, w, b, padding=1)
    for n in range(len(x)):
        np.testing.assert_array_equal(ops.conv2d(x[n : n + 1], w, b, padding=1)[0], together[n])


def test_small_convolutions_are_left_to_blas(monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> None:
        raise AssertionError("not worth a kernel")

    x, w, b, dy = arguments(CASES["groups"])
    monkeypatch.setattr(convolution, "convolve", never)
    monkeypatch.setattr(convolution, "weight_gradient", never)
    ops.conv2d(x, w, b, **CASES["groups"].window)
    ops.conv2d_grad(dy, x, w, **CASES["groups"].window)


@pytest.mark.usefixtures("kernels_for_all")
def test_other_numbers_and_too_few_filters_are_left_to_blas(monkeypatch: pytest.MonkeyPatch):
    def never(*_: object) -> None:
        raise AssertionError("there are no kernels for it")

    x, w, _, _ = arguments(CASES["groups"])
    monkeypatch.setattr(convolution, "convolve", never)
    ops.conv2d(x.astype(np.float64), w.astype(np.float64), groups=2)
    ops.conv2d(x, w[:6, :1], groups=6)
    ops.conv2d(x, w, groups=2, stride=2, dilation=2)
