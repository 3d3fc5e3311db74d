"""The peer: PyTorch training the same network on the same images, as a program of its own.

    python -m service.bench.torch_peer STORE NETWORK BATCH EPOCHS

Reads `eager` or `compiled` from standard input, one a line, and answers each with the seconds that so many epochs
took. PyTorch is imported by this program only. It is given what costs it least: images as float32 in memory, made
before the clock starts; no augmentation; all cores.
"""

import sys
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn

from ops import zoo
from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Resize, Sigmoid
from ops.network import Network
from service.config import from_preset
from service.data import describe, read
from service.processors import usable_processors


def module(network: Network) -> nn.Sequential:
    """The network in PyTorch, with its own initial weights."""
    pairs = zip(network.layers, network.shapes[:-1], strict=True)
    return nn.Sequential(*(_layer(layer, shape) for layer, shape in pairs))


def _layer(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    match layer:
        case Conv2D():
            pairs: dict[str, Any] = {"stride": layer.stride, "padding": layer.padding, "dilation": layer.dilation}
            return nn.Conv2d(shape[0], layer.channels, layer.kernel_size, groups=layer.groups, bias=layer.bias, **pairs)
        case Dense():
            return nn.Linear(shape[0], layer.units, bias=layer.bias)
        case MaxPool2D():
            return nn.MaxPool2d(layer.size, layer.stride, layer.padding, ceil_mode=layer.ceil_mode)
        case AvgPool2D():
            return nn.AvgPool2d(layer.size, layer.stride, layer.padding, layer.ceil_mode, layer.count_include_pad)
        case Sigmoid():
            return nn.Sigmoid()
        case ReLU():
            return nn.ReLU()
        case Flatten():
            return nn.Flatten()
        case Dropout():
            return nn.Dropout(layer.rate)
        case Resize():
            return nn.Upsample(layer.size, mode="bilinear")
    raise SystemExit(f"no peer for {layer}")


def main(store: str, name: str, batch: str, epochs: str) -> None:
    """Answer each line of standard input with seconds."""
    torch.manual_seed(0)
    torch.set_num_threads(usable_processors())  # whatever the environment says, it gets every core
    data = describe(Path(store))
    images, labels = read(data.path, "train", data.digest)
    x = torch.from_numpy(images).unsqueeze(1).float().div_(255)
    y = torch.from_numpy(labels).long()
    optimizer_config = from_preset({"model": name}).optimizer
    network = module(zoo.network(name, (1, *data.image_shape), data.classes))
    variants = {"eager": network, "compiled": torch.compile(network)}
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=optimizer_config.lr,
        momentum=optimizer_config.momentum,
        nesterov=optimizer_config.nesterov,
        weight_decay=optimizer_config.weight_decay,
    )

    def steps(forward: Any, order: torch.Tensor) -> None:
        for chosen in order.split(int(batch)):
            optimizer.zero_grad(set_to_none=True)
            nn.functional.cross_entropy(forward(x[chosen]), y[chosen]).backward()
            optimizer.step()

    for line in sys.stdin:
        forward = variants[line.strip()]
        steps(forward, torch.randperm(len(x))[: 20 * int(batch)])  # warm up, and compile both batch sizes
        steps(forward, torch.randperm(len(x))[: len(x) % int(batch) or int(batch)])
        began = time.perf_counter()
        for _ in range(int(epochs)):
            steps(forward, torch.randperm(len(x)))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
