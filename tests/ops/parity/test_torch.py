"""Forward and backward as in PyTorch, over hundreds of drawn shapes, in float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from tests.arrays import normal
from tests.ops.parity.errors import Largest
from tests.strategies import PLANES, SEEDS, ConvCase, PoolCase, conv_cases, pairs, pool_cases

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peers
CASES = 300


def tensors(*arrays: np.ndarray) -> list[Any]:
    return [torch.tensor(array, requires_grad=True) for array in arrays]


def test_convolution_forward_and_backward(report: Callable[[str], None]) -> None:
    largest = Largest("convolution, PyTorch, forward and backward")

    @given(case=conv_cases())
    @settings(max_examples=CASES)
    def check(case: ConvCase) -> None:
        x, w = normal(np, case.seed, case.x_shape, np.float32), normal(np, case.seed + 1, case.w_shape, np.float32)
        b = normal(np, case.seed + 2, case.w_shape[:1], np.float32)
        y = ops.conv2d(x, w, b, **case.window)
        dy = normal(np, case.seed + 3, y.shape, np.float32)
        inputs = tensors(x, w, b)
        theirs = torch.nn.functional.conv2d(*inputs, **case.window)
        theirs.backward(torch.tensor(dy))
        ours = (y, *ops.conv2d_grad(dy, x, w, **case.window))
        largest.check(ours, [theirs.detach().numpy(), *(t.grad.numpy() for t in inputs)])

    check()
    largest.finish(CASES, report)


def test_max_pooling_forward_and_backward(report: Callable[[str], None]) -> None:
    largest = Largest("max pooling, PyTorch, forward and backward")

    @given(case=pool_cases(half=True))
    @settings(max_examples=CASES)
    def check(case: PoolCase) -> None:
        x = normal(np, case.seed, case.x_shape, np.float32)
        y, argmax = ops.max_pool2d(x, case.size, **case.window)
        dy = normal(np, case.seed + 1, y.shape, np.float32)
        (tensor,) = tensors(x)
        theirs = torch.nn.functional.max_pool2d(tensor, case.size, **case.window)
        theirs.backward(torch.tensor(dy))
        dx = ops.max_pool2d_grad(dy, argmax, x.shape, case.size, **case.window)
        largest.check((y, dx), (theirs.detach().numpy(), tensor.grad.numpy()))

    check()
    largest.finish(CASES, report)


def test_average_pooling_forward_and_backward(report: Callable[[str], None]) -> None:
    largest = Largest("average pooling, PyTorch, forward and backward")

    @given(case=pool_cases(half=True), include=st.booleans())
    @settings(max_examples=CASES)
    def check(case: PoolCase, include: bool) -> None:
        window = case.window | {"count_include_pad": include}
        x = normal(np, case.seed, case.x_shape, np.float32)
        y = ops.avg_pool2d(x, case.size, **window)
        dy = normal(np, case.seed + 1, y.shape, np.float32)
        (tensor,) = tensors(x)
        theirs = torch.nn.functional.avg_pool2d(tensor, case.size, **window)
        theirs.backward(torch.tensor(dy))
        dx = ops.avg_pool2d_grad(dy, x.shape, case.size, **window)
        largest.check((y, dx), (theirs.detach().numpy(), tensor.grad.numpy()))

    check()
    largest.finish(CASES, report)


def test_adaptive_average_pooling_forward_and_backward(report: Callable[[str], None]) -> None:
    largest = Largest("adaptive average pooling, PyTorch, forward and backward")

    @given(x_shape=PLANES, size=pairs(1, 9), seed=SEEDS)
    @settings(max_examples=CASES)
    def check(x_shape: tuple[int, ...], size: tuple[int, int], seed: int) -> None:
        x, dy = normal(np, seed, x_shape, np.float32), normal(np, seed + 1, (*x_shape[:2], *size), np.float32)
        (tensor,) = tensors(x)
        theirs = torch.nn.functional.adaptive_avg_pool2d(tensor, size)
        theirs.backward(torch.tensor(dy))
        ours = ops.adaptive_avg_pool2d(x, size), ops.adaptive_avg_pool2d_grad(dy, x.shape, size)
        largest.check(ours, (theirs.detach().numpy(), tensor.grad.numpy()))

    check()
    largest.finish(CASES, report)


@pytest.mark.parametrize("name", ["sigmoid", "tanh", "relu", "leaky_relu"])
def test_activations_forward_and_backward(name: str, report: Callable[[str], None]) -> None:
    x, dy = 4 * normal(np, 1, (50, 60), np.float32), normal(np, 2, (50, 60), np.float32)
    y = getattr(ops, name)(x)
    (tensor,) = tensors(x)
    theirs = getattr(torch if name in ("sigmoid", "tanh") else torch.nn.functional, name)(tensor)
    theirs.backward(torch.tensor(dy))
    largest = Largest(f"{name}, PyTorch, forward and backward")
    largest.check((y, getattr(ops, f"{name}_grad")(dy, y)), (theirs.detach().numpy(), tensor.grad.numpy()))
    largest.finish(1, report)


def test_cross_entropy_forward_and_backward(report: Callable[[str], None]) -> None:
    largest = Largest("softmax cross-entropy, PyTorch, forward and backward")

    @given(
        n=st.integers(1, 9),
        classes=st.integers(2, 9),
        smoothing=st.sampled_from([0.0, 0.1, 0.5]),
        weighted=st.booleans(),
        seed=SEEDS,
    )
    @settings(max_examples=50)
    def check(n: int, classes: int, smoothing: float, weighted: bool, seed: int) -> None:
        logits = 3 * normal(np, seed, (n, classes), np.float32)
        labels = np.random.default_rng(seed).integers(0, classes, n)
        (tensor,) = tensors(logits)
        weights = np.random.default_rng(seed).uniform(0.1, 4, classes if weighted else 0).astype(np.float32)
        weight = torch.tensor(weights) if weighted else None
        options = {"weight": weight, "reduction": "sum", "label_smoothing": smoothing}
        theirs = torch.nn.functional.cross_entropy(tensor, torch.tensor(labels), **options) / n
        theirs.backward()
        ours = ops.softmax_cross_entropy(logits, labels, label_smoothing=smoothing, class_weights=weights)
        largest.check(ours, (theirs.detach().numpy(), tensor.grad.numpy()))

    check()
    largest.finish(50, report)


@pytest.mark.parametrize("name", ["gelu", "silu"])
def test_activations_that_fall_and_rise_again_forward_and_backward(name: str, report: Callable[[str], None]) -> None:
    x, dy = 4 * normal(np, 1, (50, 60), np.float32), normal(np, 2, (50, 60), np.float32)
    x[0, :4] = [-100, 100, 0, -20]
    options = {"approximate": "tanh"} if name == "gelu" else {}
    (tensor,) = tensors(x)
    theirs = getattr(torch.nn.functional, name)(tensor, **options)
    theirs.backward(torch.tensor(dy))
    largest = Largest(f"{name}, PyTorch, forward and backward")
    ours = (getattr(ops, name)(x), getattr(ops, f"{name}_grad")(dy, x))
    largest.check(ours, (theirs.detach().numpy(), tensor.grad.numpy()))
    largest.finish(1, report)
