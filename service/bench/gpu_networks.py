"""Steps of larger networks on a GPU, beside PyTorch with the same precision on the same GPU, in turns.

python -m service.bench.gpu_networks [NETWORK...]
"""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median
from time import perf_counter
from typing import Any

import numpy as np

from ops import zoo
from ops.engines import build, choose
from ops.engines.base import DeviceName, Replica, Steps
from ops.errors import Unsupported
from ops.network import Network
from ops.step_config import Precision, StepConfig
from service.config import from_preset

NETWORKS = ("alexnet", "resnet18", "googlenet")
"""One that is large, one with batch norm and residual blocks, one with blocks side by side."""

EXAMPLES = 4096
SHORT, LONG = 4, 44
"""Steps of the two calls whose difference is measured: what a call costs besides its steps is in both."""

MOMENTUM = 0.9


@dataclass(frozen=True)
class NetworkSpeed:
    """How fast one way trains one network.

    Attributes:
        network: its name.
        precision: of the factors of its products.
        batch: examples a step.
        way: who takes the steps.
        step_ms: milliseconds a step, the median.
        examples_per_s: examples a second.
        same_bits: whether two calls ended in the same parameters; None where that is not our affair.
    """

    network: str
    precision: Precision
    batch: int
    way: str
    step_ms: float
    examples_per_s: float
    same_bits: bool | None


def measure_networks(
    names: Sequence[str] = NETWORKS,
    *,
    batch: int = 128,
    repetitions: int = 5,
    device: DeviceName = "cuda",
    precisions: Sequence[Precision] = ("float32", "tf32"),
) -> list[NetworkSpeed]:
    """Networks of the zoo, images enlarged as their presets say, in each precision.

    Args:
        names: of the networks.
        batch: examples a step.
        repetitions: of each way.
        device: where ours run.
        precisions: of the factors of products.

    Returns:
        The speed of each way. PyTorch is left out where it isn't installed for a GPU.

    Raises:
        Unsupported: there is no such device.
    """
    found: list[NetworkSpeed] = []
    for name in names:
        network = zoo.network(name, (1, 28, 28), 10, resize=from_preset({"model": name}).resize)
        for precision in precisions:
            found += _measured(network, precision, device, batch, repetitions)
    return found


def render(speeds: list[NetworkSpeed]) -> str:
    """The figures as a Markdown table."""
    lines = [
        "| network | precision | batch | | ms a step | examples/s | same bits |",
        "|---|---|---:|---|---:|---:|---|",
    ]
    bits = {None: "", True: "yes", False: "NO"}
    for s in speeds:
        figures = f"{s.step_ms:.2f} | {s.examples_per_s:,.0f} | {bits[s.same_bits]}"
        lines.append(f"| {s.network} | {s.precision} | {s.batch} | {s.way} | {figures} |")
    return "\n".join(lines)


def _measured(
    network: Network, precision: Precision, device: DeviceName, batch: int, repetitions: int
) -> list[NetworkSpeed]:
    ways: dict[str, Callable[[int], Any]] = {"ours": _ours(network, precision, device, batch)}
    theirs = _torch(network, precision, batch)
    if theirs is not None:
        ways["PyTorch eager"] = theirs
    ends = [ways["ours"](LONG) for _ in range(2)]
    same_bits = bool(np.array_equal(ends[0], ends[1]))
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for way in ways.values():
        way(SHORT)
    for _ in range(repetitions):
        for name, take in ways.items():
            seconds[name].append((_timed(take, LONG) - _timed(take, SHORT)) / (LONG - SHORT))
    return [
        NetworkSpeed(
            *(network.name, precision, batch, name, 1e3 * median(taken), batch / median(taken)),
            same_bits if name == "ours" else None,
        )
        for name, taken in seconds.items()
    ]


def _timed(take: Callable[[int], Any], steps: int) -> float:
    began = perf_counter()
    take(steps)
    return perf_counter() - began


def _ours(network: Network, precision: Precision, device: DeviceName, batch: int) -> Callable[[int], Any]:
    step_config = StepConfig(momentum=MOMENTUM, precision=precision)
    engine = build(choose(network, step_config, device=device), network, step_config)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (EXAMPLES, *network.input_shape), dtype=np.uint8)
    data = engine.load(images, rng.integers(0, network.classes, EXAMPLES).astype(np.uint8))
    theta = network.init_parameters(0)
    start = Replica(theta, np.zeros(network.num_parameters, np.float32))
    order = rng.permutation(EXAMPLES)

    def take(steps: int) -> Any:
        examples = np.resize(order, steps * batch).astype(np.int32)
        offsets = np.arange(steps + 1, dtype=np.int32) * batch
        return engine.run(start, data, Steps(examples, offsets, np.full(steps, 1e-3, np.float32))).replica.theta

    return take


def _torch(network: Network, precision: Precision, batch: int) -> Callable[[int], Any] | None:
    try:
        import torch
    except ImportError:
        return None
    if not torch.cuda.is_available():
        return None
    from service.bench.torch_module import module

    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
    net = module(network).cuda()
    optimizer = torch.optim.SGD(net.parameters(), lr=1e-3, momentum=MOMENTUM)
    x = torch.rand(batch, *network.input_shape, device="cuda")
    y = torch.randint(0, network.classes, (batch,), device="cuda")

    def take(steps: int) -> None:
        torch.cuda.synchronize()
        for _ in range(steps):
            optimizer.zero_grad(set_to_none=True)
            torch.nn.functional.cross_entropy(net(x), y).backward()
            optimizer.step()
        torch.cuda.synchronize()

    return take


def main() -> None:
    """Print the table."""
    try:
        print(render(measure_networks(sys.argv[1:] or NETWORKS)))
    except Unsupported as error:
        raise SystemExit(str(error)) from error


if __name__ == "__main__":
    main()
