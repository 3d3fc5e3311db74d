"""How fast each kernel of the SIMD engine is on one core, against BLAS in the same run."""

import multiprocessing
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

import numpy as np

from ops.network import Network
from ops.step_config import StepConfig

REPETITIONS = 15
"""How often everything is measured, all kernels in turn each time; medians are reported."""

TIMES = 8
"""Calls in a row that are timed together; few, since gradients that replace values shrink from call to call."""

STEP = 128
"""Examples a step over which what happens once a step is spread."""

PHASES = ("augment", "scale", "forward", "loss", "backward", "panel", "clear", "update")


@dataclass(frozen=True)
class KernelTiming:
    """One kernel: time an example, and, where it is arithmetic that counts, its rate.

    ceiling_share: of what sgemm does on the same core. blas_gflops: the same pass by im2col and BLAS.
    """

    name: str
    ns: float
    gflops: float | None
    ceiling_share: float | None
    blas_gflops: float | None


@dataclass(frozen=True)
class KernelReport:
    """All kernels of a training step of a network on one core.

    ceiling_gflops: sgemm of 2048 x 2048. examples_per_s: what the kernels' times add up to.
    ceiling_share: the step's useful arithmetic in that time, of the ceiling.
    """

    network: str
    processor: str
    lanes: int
    ceiling_gflops: float
    examples_per_s: float
    ceiling_share: float
    kernels: tuple[KernelTiming, ...]


def measure_kernels(
    network: Network, step_config: StepConfig | None = None, *, repetitions: int = REPETITIONS
) -> KernelReport:
    """Measure in a process of its own, where BLAS has one thread. Takes some ten seconds.

    Raises ops.errors.Unsupported for what the SIMD engine doesn't run.
    """
    with _one_thread(), ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_measure, network, step_config or StepConfig(), repetitions).result()


def render(report: KernelReport) -> str:
    """The report as a table of text."""
    lines = [
        f"{report.network} on one core of {report.processor}, {report.lanes} lanes; "
        f"sgemm {report.ceiling_gflops:.0f} GFLOP/s",
        "",
        f"{'kernel':<28}{'ns/example':>11}{'GFLOP/s':>9}{'of sgemm':>10}{'im2col+BLAS':>13}",
    ]
    for kernel in report.kernels:
        rates = (kernel.gflops, kernel.ceiling_share, kernel.blas_gflops)
        texts = (
            "" if rate is None else form.format(rate)
            for rate, form in zip(rates, ("{:.1f}", "{:.0%}", "{:.1f}"), strict=True)
        )
        lines.append(f"{kernel.name:<28}{kernel.ns:>11.0f}{next(texts):>9}{next(texts):>10}{next(texts):>13}".rstrip())
    lines += [
        "",
        f"together {report.examples_per_s:,.0f} examples/s, {report.ceiling_share:.0%} of sgemm's rate",
    ]
    return "\n".join(lines)


def _measure(network: Network, step_config: StepConfig, repetitions: int) -> KernelReport:
    from ops.engines.simd import check
    from ops.engines.simd.cpu import cpu
    from ops.engines.simd.program.layout import PANEL
    from ops.engines.simd.program.memory import Memory
    from ops.engines.simd.program.plan import Plan
    from ops.engines.simd.program.single_kernels import SingleKernels
    from service.bench.blas import Ceiling, layer_seconds

    check(network, step_config)
    plan = Plan(network, step_config)
    groups = [(phase, kernel) for phase in PHASES for kernel in getattr(plan, phase)]
    single, memory, ceiling = SingleKernels([kernel for _, kernel in groups]), Memory(plan.layout), Ceiling()
    # ordinary numbers: zeros, or ones so small that processors slow down, would tell something else
    numbers = np.random.default_rng(0).uniform(0.01, 0.1, memory.floats.size).astype(np.float32)
    times: dict[str, list[float]] = {kernel.name: [] for _, kernel in groups}
    rates = []
    for _ in range(repetitions):
        rates.append(ceiling.gflops())
        for phase, kernel in groups:
            examples = {"panel": cpu().lanes * PANEL, "clear": STEP, "update": STEP}.get(phase, cpu().lanes)
            slot = PANEL if phase == "panel" else 0
            memory.floats[:] = numbers
            single.call(kernel, memory, slot=slot)
            start = time.perf_counter()
            single.call(kernel, memory, slot=slot, times=TIMES)
            times[kernel.name].append((time.perf_counter() - start) / TIMES / examples)
    top, blas = median(rates), layer_seconds(network, repetitions)
    seconds = {name: median(measured) for name, measured in times.items()}
    total, flops = sum(seconds.values()), sum(kernel.flops for _, kernel in groups)
    return KernelReport(
        network=network.name,
        processor=cpu().name,
        lanes=cpu().lanes,
        ceiling_gflops=top,
        examples_per_s=1 / total,
        ceiling_share=flops / total / top / 1e9,
        kernels=tuple(
            _timing(kernel.name, kernel.flops, seconds[kernel.name], top, blas.get(kernel.name)) for _, kernel in groups
        ),
    )


def _timing(name: str, flops: int, seconds: float, ceiling: float, blas_seconds: float | None) -> KernelTiming:
    if not flops:
        return KernelTiming(name, seconds * 1e9, None, None, None)
    rate = flops / seconds / 1e9
    blas = flops / blas_seconds / 1e9 if blas_seconds else None
    return KernelTiming(name, seconds * 1e9, rate, rate / ceiling, blas)


@contextmanager
def _one_thread() -> Iterator[None]:
    """Processes started meanwhile give BLAS one thread."""
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    before = {name: os.environ.get(name) for name in names}
    os.environ.update(dict.fromkeys(names, "1"))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
