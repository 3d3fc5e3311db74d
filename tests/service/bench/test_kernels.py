"""The report on kernels: complete, consistent, readable."""

import pytest

import ops
from ops.engines.simd.cpu import cpu
from ops.network import Network
from ops.zoo import network
from service.bench.kernels import KernelReport, KernelTiming, measure_kernels, render

SMALL = Network(
    "small",
    (1, 10, 10),
    (ops.Conv2D(4, 3), ops.ReLU(), ops.MaxPool2D(2), ops.Conv2D(3, 3), ops.Flatten(), ops.Dense(5)),
)


@pytest.fixture(scope="module")
def report():
    return measure_kernels(SMALL, repetitions=1)


def test_each_pass_of_each_layer_that_learns_has_a_rate_and_one_for_blas(report):
    rated = {kernel.name for kernel in report.kernels if kernel.gflops}
    passes = ("forward", "weight_gradient", "input_gradient")
    expected = {f"{layer}.{what}" for layer in ("conv2d1", "conv2d2", "dense1") for what in passes}
    assert rated == expected - {"conv2d1.input_gradient"}
    assert all(
        kernel.blas_gflops is not None for kernel in report.kernels if kernel.name.endswith("forward") and kernel.gflops
    )


def test_shares_are_of_the_ceiling_measured_in_the_same_run(report):
    for kernel in report.kernels:
        if kernel.gflops is not None:
            assert kernel.ceiling_share == pytest.approx(kernel.gflops / report.ceiling_gflops)
    assert report.examples_per_s == pytest.approx(1e9 / sum(kernel.ns for kernel in report.kernels))
    assert report.lanes == cpu().lanes


def test_the_table_has_a_line_for_each_kernel():
    kernels = (
        KernelTiming("conv2d1.forward", 1500.4, 120.04, 0.75, None),
        KernelTiming("loss", 20.2, None, None, None),
    )
    text = render(KernelReport("lenet", "some", 16, 160.0, 50_000.4, 0.7, kernels))
    assert "lenet on one core of some, 16 lanes; sgemm 160 GFLOP/s" in text
    assert ["conv2d1.forward", "1500", "120.0", "75%"] in [line.split() for line in text.splitlines()]
    assert text.endswith("together 50,000 examples/s, 70% of sgemm's rate")


def test_what_the_engine_does_not_run_is_refused_with_its_reason():
    with pytest.raises(ops.errors.Unsupported, match="at most 2,000,000 parameters"):
        measure_kernels(network("alexnet", (1, 224, 224), 10))
