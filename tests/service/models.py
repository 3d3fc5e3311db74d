"""A model to publish, made in no time: random parameters, measured on random images."""

from dataclasses import asdict, replace
from functools import cache
from pathlib import Path

import numpy as np

from ops import Network, zoo
from ops.engines.base import Floats
from ops.layers import Context
from ops.passes import forward
from service.data.catalog import FASHION_MNIST
from service.registry import Draft, ModelVersion, Registry
from service.training.metrics import Evaluation, measure


@cache
def _measured(network: str, seed: int) -> tuple[Network, Floats, Evaluation]:
    """A network with random parameters, and their figures on 200 random images."""
    net = zoo.network(network, (1, 28, 28), 10)
    theta = net.init_parameters(seed)
    random = np.random.default_rng(seed)
    images = random.integers(0, 256, (200, 28, 28), dtype=np.uint8)
    labels = random.integers(0, 10, 200).astype(np.uint8)
    pixels = images[:, None].astype(np.float32) / np.float32(255)
    logits, _ = forward(net, net.parameters(theta), pixels, Context())
    return net, theta, measure(logits, labels, FASHION_MNIST.class_names)


def draft(network: str = "lenet", seed: int = 0, **changes: object) -> Draft:
    """A draft whose figures are those of its parameters on 200 random images."""
    net, theta, evaluation = _measured(network, seed)
    test = asdict(evaluation)
    history = [
        {"epoch": e, "train_loss": 2 / e, "train_accuracy": 0.3 + 0.1 * e, "test_accuracy": 0.2 + 0.1 * e,
         "examples_per_s": 20000.0, "wall_s": 3.0}
        for e in (1, 2, 3)
    ]  # fmt: skip
    made = Draft(
        network=net,
        theta=theta.copy(),
        class_names=FASHION_MNIST.class_names,
        dataset="fashion-mnist",
        config={"model": network, "resize": 0, "epochs": 3, "optimizer": {"lr": 0.9}},
        metrics={"train_loss": 2 / 3, "train_accuracy": 0.6, "test": test},
        history=history,
        lineage={"run": "20261123-181500-4f2a", "data": "0" * 64, "parameters": "1" * 64, "versions": {"numpy": "2"}},
    )
    return replace(made, **changes)  # type: ignore[arg-type]  # tests name real fields


def with_accuracy(made: Draft, accuracy: float) -> Draft:
    """The same draft, said to be this good."""
    return replace(made, metrics={**made.metrics, "test": {**made.metrics["test"], "accuracy": accuracy}})


def publish(place: Path | str, name: str = "lenet", made: Draft | None = None) -> ModelVersion:
    return Registry(place).publish(name, made or draft())
