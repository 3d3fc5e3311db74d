"""The peer in a race: PyTorch training the same network with the same settings, as a program of its own.

    python -m service.bench.torch_race STORE NETWORK EPOCHS

Reads `eager SEED` or `compiled SEED` from standard input, one a line, and answers each with a JSON list: for every
epoch the seconds spent in training so far and the accuracy on the test examples, measured while the clock stands.
Rate, momentum, weight decay, schedule, smoothing, batch and augmentation are those of the network's preset; all cores,
images as float32 in memory. A batch is flipped and shifted as a whole batch at a time, which costs PyTorch least.
"""

import json
import sys
import time
from typing import Any, Literal

import torch
from torch import nn

from ops.lr_schedules import SCHEDULES
from service.bench.torch_module import module
from service.config import TrainConfig, from_preset
from service.data import DatasetInfo, describe, read
from service.environment.processors import usable_processors
from service.rounds.job import network_for
from service.storage import place_of


class Race:
    """One data set and settings, raced as often as asked."""

    def __init__(self, data: DatasetInfo, config: TrainConfig) -> None:
        self._data = data
        self._config = config
        self._x, self._y = _tensors(data, "train")
        self._test_x, self._test_y = _tensors(data, "test")

    def run(self, way: str, seed: int) -> list[tuple[float, float]]:
        """`(seconds of training so far, test accuracy)` after each epoch."""
        torch.manual_seed(seed)
        network = module(network_for(self._config, self._data))
        forward: Any = torch.compile(network) if way == "compiled" else network
        self._warm_up(network, forward)
        optimizer = self._optimizer(network, 0.0)
        schedule = SCHEDULES[self._config.optimizer.schedule](self._config.optimizer.lr)
        batches = -(-len(self._x) // self._config.batch_size)
        seconds, course = 0.0, []
        for epoch in range(self._config.epochs):
            began = time.perf_counter()
            for step, chosen in enumerate(torch.randperm(len(self._x)).split(self._config.batch_size)):
                for group in optimizer.param_groups:
                    group["lr"] = schedule(epoch * batches + step, self._config.epochs * batches)
                self._step(forward, optimizer, chosen)
            seconds += time.perf_counter() - began
            course.append((seconds, self._accuracy(network)))
        return course

    def _step(self, forward: Any, optimizer: torch.optim.Optimizer, chosen: torch.Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        logits, smoothing = forward(self._varied(self._x[chosen])), self._config.optimizer.label_smoothing
        nn.functional.cross_entropy(logits, self._y[chosen], label_smoothing=smoothing).backward()
        optimizer.step()

    def _varied(self, x: torch.Tensor) -> torch.Tensor:
        augment = self._config.augment
        if augment.flip:
            mirrored = torch.rand(len(x)) < 0.5
            x[mirrored] = x[mirrored].flip(3)
        if augment.shift:
            down, right = torch.randint(0, 2 * augment.shift + 1, (2,)).tolist()
            height, width = x.shape[2:]
            x = nn.functional.pad(x, (augment.shift,) * 4)[:, :, down : down + height, right : right + width]
        return x

    def _warm_up(self, network: nn.Sequential, forward: Any) -> None:
        """Compile for both sizes of batch, and leave the weights as they were."""
        optimizer = self._optimizer(network, 0.0)
        for size in (self._config.batch_size, len(self._x) % self._config.batch_size or self._config.batch_size):
            for _ in range(5):
                self._step(forward, optimizer, torch.arange(size))

    def _optimizer(self, network: nn.Sequential, rate: float) -> torch.optim.Optimizer:
        given = self._config.optimizer
        return torch.optim.SGD(
            network.parameters(),
            lr=rate,
            momentum=given.momentum,
            nesterov=given.nesterov,
            weight_decay=given.weight_decay,
        )

    def _accuracy(self, network: nn.Sequential) -> float:
        with torch.inference_mode():
            return float((network(self._test_x).argmax(dim=1) == self._test_y).float().mean())


def _tensors(data: DatasetInfo, split: Literal["train", "test"]) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = read(data.path, split, data.digest)
    return torch.from_numpy(images).reshape(-1, *data.input_shape).float().div_(255), torch.from_numpy(labels).long()


def main(store: str, name: str, epochs: str) -> None:
    """Answer each line of standard input with the course of a training."""
    torch.set_num_threads(usable_processors())  # whatever the environment says, it gets every core
    race = Race(describe(place_of(store)), from_preset({"model": name, "epochs": int(epochs)}))
    for line in sys.stdin:
        way, seed = line.split()
        print(json.dumps(race.run(way, int(seed))), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
