"""The peer on a GPU: PyTorch training the same network on the same images, as a program of its own.

    python -m service.bench.gpu_torch STORE CONFIG

CONFIG is the service's configuration as JSON.
Reads `eager`, `compiled` or `graph` from standard input, one a line, and answers each with the seconds that so many
epochs took. It is given what costs it least: images as float32 on the GPU before the clock starts, no augmentation. A
last batch that is smaller is left out, which a CUDA graph could not take.
"""

import sys
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from service.bench.torch_module import module
from service.config import TrainConfig
from service.data import describe, read
from service.rounds.job import network_for
from service.storage import place_of


class Peer:
    """A network on the GPU, the images beside it, and three ways to take a step."""

    def __init__(self, store: str, config: TrainConfig) -> None:
        torch.manual_seed(0)
        data = describe(place_of(store))
        images, labels = read(data.path, "train", data.digest)
        self._x = torch.from_numpy(images).cuda().reshape(-1, *data.input_shape).float().div_(255)
        self._y = torch.from_numpy(labels).cuda().long()
        self._batch = config.batch_size
        self._network = network_for(config, data)
        self._optimizer = config.optimizer
        self._ways: dict[str, Callable[[Any, Any], None]] = {}

    def seconds(self, way: str, epochs: int) -> float:
        """How long so many epochs take, once everything is compiled and captured."""
        if way not in self._ways:
            self._ways[way] = getattr(self, f"_{way}")()
        step = self._ways[way]
        self._epoch(step, 3 * self._batch)
        began = time.perf_counter()
        for _ in range(epochs):
            self._epoch(step, len(self._x))
        return time.perf_counter() - began

    def _epoch(self, step: Callable[[Any, Any], None], examples: int) -> None:
        order = torch.randperm(len(self._x), device="cuda")[: examples - examples % self._batch]
        for rows in order.split(self._batch):
            step(self._x[rows], self._y[rows])
        torch.cuda.synchronize()

    def _eager(self) -> Callable[[Any, Any], None]:
        network = module(self._network).cuda()
        given = self._optimizer
        optimizer = torch.optim.SGD(
            *(network.parameters(), given.lr / 10),
            momentum=given.momentum,
            nesterov=given.nesterov,
            weight_decay=given.weight_decay,
        )

        def step(x: Any, y: Any) -> None:
            optimizer.zero_grad(set_to_none=False)  # where they are, so that a graph can be captured
            nn.functional.cross_entropy(network(x), y).backward()
            optimizer.step()

        return step

    def _compiled(self) -> Callable[[Any, Any], None]:
        return torch.compile(self._eager())

    def _graph(self) -> Callable[[Any, Any], None]:
        step = self._eager()
        x, y = self._x[: self._batch].clone(), self._y[: self._batch].clone()
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                step(x, y)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step(x, y)

        def replay(images: Any, labels: Any, kept: Any = step) -> None:
            """kept: a graph keeps nothing alive of what it was captured from."""
            x.copy_(images)
            y.copy_(labels)
            graph.replay()

        return replay


def main(store: str, given: str) -> None:
    """Answer each line of standard input with seconds."""
    config = TrainConfig.model_validate_json(given)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = config.precision == "tf32"
    peer = Peer(store, config)
    for line in sys.stdin:
        print(peer.seconds(line.strip(), config.epochs), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
