"""The CUDA engine against PyTorch on the same GPU, in the same run: eager, compiled, and as a CUDA graph."""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from ops import zoo
from ops.engines.base import Replica, Steps
from ops.engines.cuda import CudaEngine
from ops.errors import Unsupported
from ops.step_config import StepConfig

EXAMPLES = 60_000


@dataclass(frozen=True)
class GpuSpeed:
    """Training speed of one way to train LeNet. share: of the GPU's single-precision ceiling."""

    way: str
    examples_per_s: float
    step_us: float
    share: float


@dataclass(frozen=True)
class GpuBench:
    """device: the GPU's name. ceiling_tflops: lanes x 2 x multiprocessors x highest clock.

    same_bits: whether two runs of our engine ended in the same parameters. skipped: what could not be timed, and why.
    """

    device: str
    ceiling_tflops: float
    batch: int
    same_bits: bool
    speeds: tuple[GpuSpeed, ...]
    skipped: tuple[str, ...]


def gpu_bench(*, batch: int = 256, steps: int = 234, repeats: int = 7) -> GpuBench:
    """Time LeNet's training steps; medians of `repeats` rounds of `steps` steps, taken in turns.

    Raises Unsupported without a GPU. PyTorch is left out, and named in `skipped`, where it isn't installed for it.
    """
    network = zoo.network("lenet", (1, 28, 28), 10)
    engine = CudaEngine(network, StepConfig())
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (EXAMPLES, 28, 28), dtype=np.uint8)
    labels = rng.integers(0, 10, EXAMPLES).astype(np.uint8)
    data = engine.load(images, labels)
    order = rng.permutation(EXAMPLES)[: batch * steps].astype(np.int32)
    offsets = np.arange(0, len(order) + 1, batch, dtype=np.int32)
    plan = Steps(order, offsets, np.full(len(offsets) - 1, 0.5, np.float32))
    theta = network.init_parameters(0)
    start = Replica(theta, np.zeros_like(theta))
    ends: list[np.ndarray] = []
    ways: dict[str, Callable[[], None]] = {"ours": lambda: ends.append(engine.run(start, data, plan).replica.theta)}
    torch_ways, skipped = _torch_ways(batch, len(plan), images, labels)
    ways |= torch_ways
    for name in list(torch_ways):
        try:
            ways[name]()  # the first one compiles and captures
        except Exception as error:  # what keeps a peer from running is no reason to lose our own figures
            skipped += (f"{name}: {error!r}".splitlines()[0],)
            del ways[name]
    ways["ours"]()
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(repeats):
        for name, once in ways.items():
            began = perf_counter()
            once()
            seconds[name].append(perf_counter() - began)
    device, ceiling = _ceiling()
    # forward, and twice that backward, but for the image's own gradient
    flops = sum(layer.flops(shape) for layer, shape in zip(network.layers, network.shapes, strict=False))
    needed = 3 * flops - network.layers[0].flops(network.input_shape)
    speeds = []
    for name, taken in seconds.items():
        step = median(taken) / len(plan)
        speeds.append(GpuSpeed(name, batch / step, 1e6 * step, batch * needed / step / ceiling))
    same = all(np.array_equal(end, ends[0]) for end in ends)
    return GpuBench(device, ceiling / 1e12, batch, same, tuple(speeds), skipped)


def rendered(bench: GpuBench) -> str:
    """The figures as a Markdown table."""
    lines = [
        f"{bench.device}, {bench.ceiling_tflops:.1f} TFLOP/s in float32; LeNet, batch {bench.batch}",
        f"two runs, the same bits: {'yes' if bench.same_bits else 'NO'}",
        "",
        "| | examples/s | µs a step | of the ceiling |",
        "|---|---:|---:|---:|",
    ]
    lines += [f"| {s.way} | {s.examples_per_s:,.0f} | {s.step_us:.1f} | {s.share:.1%} |" for s in bench.speeds]
    return "\n".join((*lines, *(f"\nnot timed: {why}" for why in bench.skipped)))


def _ceiling() -> tuple[str, float]:
    import cupy

    about = cupy.cuda.runtime.getDeviceProperties(cupy.cuda.Device().id)
    clock = 1e3 * cupy.cuda.Device().attributes["ClockRate"]
    # single-precision multiply-and-adds a cycle: 64 on the A100 (8.0), 128 on the others (NVIDIA's white papers)
    lanes = 64 if (about["major"], about["minor"]) == (8, 0) else 128
    return about["name"].decode(), 2.0 * lanes * about["multiProcessorCount"] * clock


def _torch_ways(
    batch: int, steps: int, images: np.ndarray, labels: np.ndarray
) -> tuple[dict[str, Callable[[], None]], tuple[str, ...]]:
    try:
        import torch
    except ImportError:
        return {}, ("PyTorch is not installed",)
    if not torch.cuda.is_available():
        return {}, ("PyTorch finds no GPU",)
    torch.backends.cudnn.allow_tf32 = False  # float32 as ours
    x = torch.as_tensor(images, device="cuda")[:, None].float() / 255
    y = torch.as_tensor(labels, device="cuda").long()
    order = torch.randperm(len(x), device="cuda")[: batch * steps].reshape(steps, batch)
    eager = _stepper(torch)
    compiled = torch.compile(_stepper(torch))
    static_x, static_y = x[:batch].clone(), y[:batch].clone()
    graphed, graph = _stepper(torch), torch.cuda.CUDAGraph()
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            graphed(static_x, static_y)
    torch.cuda.current_stream().wait_stream(side)
    with torch.cuda.graph(graph):
        graphed(static_x, static_y)

    def replay(images: Any, labels: Any, kept: Any = graphed) -> None:
        """kept: a graph keeps nothing alive of what it was captured from."""
        static_x.copy_(images)
        static_y.copy_(labels)
        graph.replay()

    def round_of(step: Callable[[Any, Any], None]) -> Callable[[], None]:
        def once() -> None:
            for rows in order:
                step(x[rows], y[rows])
            torch.cuda.synchronize()

        return once

    ways = {"PyTorch eager": eager, "PyTorch compiled": compiled, "PyTorch CUDA graph": replay}
    return {name: round_of(step) for name, step in ways.items()}, ()


def _stepper(torch: Any) -> Callable[[Any, Any], None]:
    """One SGD step of LeNet in PyTorch; gradients are kept in place so that a graph can be captured."""
    nn = torch.nn
    model = nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2), nn.Conv2d(6, 16, 5), nn.Sigmoid()),
        *(nn.AvgPool2d(2), nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 84), nn.Sigmoid()),
        nn.Linear(84, 10),
    ).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)

    def step(x: Any, y: Any) -> None:
        optimizer.zero_grad(set_to_none=False)
        nn.functional.cross_entropy(model(x), y).backward()
        optimizer.step()

    return step


def main() -> None:
    """Print the table: `python -m service.bench.gpu`."""
    try:
        print(rendered(gpu_bench()))
    except Unsupported as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
