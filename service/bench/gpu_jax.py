"""The peer that compiles: JAX training the same network on the same images, an epoch as one scan.

    python -m service.bench.gpu_jax STORE CONFIG

CONFIG is the service's configuration as JSON.
Reads `scan` from standard input, one a line, and answers each with the seconds that so many epochs took. Images lie on
the device as bytes; there is no augmentation, and a last batch that is smaller is left out.
"""

import sys
import time
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from ops.layers import AvgPool2D, Conv2D, Dense, Dropout, Flatten, Layer, MaxPool2D, ReLU, Resize, Sigmoid
from ops.network import Network
from service.config import OptimizerConfig, TrainConfig
from service.data import describe, read
from service.rounds.job import network_for
from service.storage import place_of


def forward(network: Network, precision: Any, parameters: Any, x: Any, key: Any) -> Any:
    """Logits of images x (n, c, h, w)."""
    for position, (layer, own) in enumerate(zip(network.layers, parameters, strict=True)):
        x = _layer(layer, own, x, precision, jax.random.fold_in(key, position))
    return x


def _layer(layer: Layer, own: Any, x: Any, precision: Any, key: Any) -> Any:
    match layer:
        case Conv2D():
            y = lax.conv_general_dilated(
                *(x, own["weight"], layer.stride, _padding(layer.padding)),
                rhs_dilation=layer.dilation,
                feature_group_count=layer.groups,
                precision=precision,
            )
            return y + own["bias"][:, None, None] if layer.bias else y
        case Dense():
            y = jnp.matmul(x, own["weight"].T, precision=precision)
            return y + own["bias"] if layer.bias else y
        case MaxPool2D() | AvgPool2D():
            return _pooled(layer, x)
        case Sigmoid():
            return jax.nn.sigmoid(x)
        case ReLU():
            return jax.nn.relu(x)
        case Flatten():
            return x.reshape(len(x), -1)
        case Dropout():
            return jnp.where(jax.random.bernoulli(key, 1 - layer.rate, x.shape), x / (1 - layer.rate), 0)
        case Resize():
            return jax.image.resize(x, (*x.shape[:2], *layer.size), "bilinear", antialias=False)  # type: ignore[misc]  # a pair
    raise SystemExit(f"no peer for {layer}")


def _pooled(layer: MaxPool2D | AvgPool2D, x: Any) -> Any:
    window = layer.window((x.shape[2], x.shape[3]))
    if window["ceil_mode"]:
        raise SystemExit(f"no peer for {layer}")
    size, stride = (1, 1, *window["window"]), (1, 1, *window["stride"])
    padding = ((0, 0), (0, 0), *_padding(window["padding"]))
    if isinstance(layer, MaxPool2D):
        return lax.reduce_window(x, -jnp.inf, lax.max, size, stride, padding)
    return lax.reduce_window(x, 0.0, lax.add, size, stride, padding) / (size[2] * size[3])


def _padding(padding: Any) -> list[tuple[int, int]]:
    return [(amount, amount) for amount in padding]


def epoch(network: Network, given: OptimizerConfig, precision: Any, state: Any, data: Any, order: Any) -> Any:
    """State after an epoch; state: (parameters, velocity, key); order: (steps, batch) numbers of examples."""
    images, labels = data

    def step(state: Any, chosen: Any) -> Any:
        parameters, velocity, key = state
        key, mine = jax.random.split(key)
        x, y = images[chosen].astype(jnp.float32) / 255, labels[chosen]

        def loss(parameters: Any) -> Any:
            logits = forward(network, precision, parameters, x, mine)
            return -jnp.take_along_axis(jax.nn.log_softmax(logits), y[:, None], axis=1).mean()

        value, slopes = jax.value_and_grad(loss)(parameters)
        slopes = jax.tree.map(lambda g, p: g + given.weight_decay * p, slopes, parameters)
        velocity = jax.tree.map(lambda v, g: given.momentum * v + g, velocity, slopes)
        moves = jax.tree.map(lambda g, v: g + given.momentum * v, slopes, velocity) if given.nesterov else velocity
        parameters = jax.tree.map(lambda p, m: p - given.lr / 10 * m, parameters, moves)
        return (parameters, velocity, key), value

    return lax.scan(step, state, order)


def main(store: str, given: str) -> None:
    """Answer each line of standard input with seconds."""
    config = TrainConfig.model_validate_json(given)
    batch, epochs = config.batch_size, config.epochs
    found = describe(place_of(store))
    images, labels = read(found.path, "train", found.digest)
    network = network_for(config, found)
    views = network.parameters(network.init_parameters(0))
    parameters = [{key: jnp.asarray(view) for key, view in own.items()} for own in views]
    data = (jnp.asarray(images).reshape(-1, *found.input_shape), jnp.asarray(labels).astype(jnp.int32))
    exact = lax.Precision.HIGHEST if config.precision == "float32" else lax.Precision.DEFAULT
    run = jax.jit(partial(epoch, network, config.optimizer, exact))
    state: Any = (parameters, jax.tree.map(jnp.zeros_like, parameters), jax.random.key(0))
    steps = len(images) // batch

    def order(number: int) -> Any:
        mixed = jax.random.permutation(jax.random.key(number), len(images))
        return mixed[: steps * batch].reshape(steps, batch)

    state, losses = run(state, data, order(0))
    jax.block_until_ready(losses)
    for _ in sys.stdin:
        began = time.perf_counter()
        for number in range(epochs):
            state, losses = run(state, data, order(number))
        jax.block_until_ready(losses)
        print(time.perf_counter() - began, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
