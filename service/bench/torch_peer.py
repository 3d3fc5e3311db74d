"""The peer: PyTorch training the same network on the same images, as a program of its own.

    python -m service.bench.torch_peer STORE CONFIG

CONFIG is the service's configuration as JSON.

Reads `eager` or `compiled` from standard input, one a line, and answers each with the seconds that so many epochs
took. PyTorch is imported by this program only. It is given what costs it least: images as float32 in memory, made
before the clock starts; no augmentation; all cores.
"""

import sys
import time
from typing import Any

import torch
from torch import nn

from service.bench.torch_module import module
from service.config import TrainConfig
from service.data import describe, read
from service.environment.processors import usable_processors
from service.rounds.job import network_for
from service.storage import place_of


def main(store: str, given: str) -> None:
    """Answer each line of standard input with seconds."""
    config = TrainConfig.model_validate_json(given)
    batch = config.batch_size
    torch.manual_seed(0)
    torch.set_num_threads(usable_processors())  # whatever the environment says, it gets every core
    data = describe(place_of(store))
    images, labels = read(data.path, "train", data.digest)
    kept = len(images) - config.holdout
    x = torch.from_numpy(images[:kept]).reshape(-1, *data.input_shape).float().div_(255)
    y = torch.from_numpy(labels[:kept]).long()
    optimizer_config = config.optimizer
    network = module(network_for(config, data))
    variants = {"eager": network, "compiled": torch.compile(network)}
    optimizer = torch.optim.SGD(
        network.parameters(),
        lr=optimizer_config.lr,
        momentum=optimizer_config.momentum,
        nesterov=optimizer_config.nesterov,
        weight_decay=optimizer_config.weight_decay,
    )

    def steps(forward: Any, order: torch.Tensor) -> None:
        for chosen in order.split(batch):
            optimizer.zero_grad(set_to_none=True)
            smoothing = optimizer_config.label_smoothing
            nn.functional.cross_entropy(forward(x[chosen]), y[chosen], label_smoothing=smoothing).backward()
            optimizer.step()

    warm_up = batch * min(max(len(x) // batch // 8, 2), 20)
    for line in sys.stdin:
        forward = variants[line.strip()]
        steps(forward, torch.randperm(len(x))[:warm_up])  # warm up, and compile both batch sizes
        steps(forward, torch.randperm(len(x))[: len(x) % batch or batch])
        began = time.perf_counter()
        for _ in range(config.epochs):
            steps(forward, torch.randperm(len(x)))
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
