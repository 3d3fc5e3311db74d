"""The networks of the zoo for small images, and AlexNet: shapes, counts of parameters, steps forward and back."""

import numpy as np
import pytest

import ops
from ops.engines.array import ArrayEngine
from ops.engines.base import Replica, Steps
from ops.engines.simd import SimdEngine
from tests.ops.parity.models import as_torch, flat

GREY = ("lenet", "lenet-relu", "mlp", "resnet8", "groupnet")
SMALL = (*GREY, "convnet")
IMAGES = dict.fromkeys(SMALL, (1, 28, 28)) | {"convnet": (3, 32, 32), "alexnet": (1, 224, 224)}


def one_batch(size: int, shape: tuple[int, ...], seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (size, *shape), dtype=np.uint8), rng.integers(0, 10, size).astype(np.uint8)


def steps_of(batches: int, size: int, rate: float) -> Steps:
    return Steps(
        np.tile(np.arange(size, dtype=np.int32), batches),
        np.arange(0, batches * size + 1, size, dtype=np.int32),
        np.full(batches, rate, np.float32),
    )


def test_parameter_counts_are_those_of_the_arithmetic():
    def conv(o: int, c: int, k: int) -> int:
        return o * (c * k * k + 1)

    def dense(units: int, inputs: int) -> int:
        return units * (inputs + 1)

    lenet = conv(6, 1, 5) + conv(16, 6, 5) + dense(120, 16 * 5 * 5) + dense(84, 120) + dense(10, 84)
    convolutions = conv(96, 1, 11) + conv(256, 96, 5) + conv(384, 256, 3) + conv(384, 384, 3) + conv(256, 384, 3)
    alexnet = convolutions + dense(4096, 256 * 5 * 5) + dense(4096, 4096) + dense(10, 4096)
    expected = {"lenet": lenet, "lenet-relu": lenet, "mlp": dense(256, 784) + dense(10, 256), "alexnet": alexnet}
    expected["convnet"] = conv(32, 3, 3) + conv(64, 32, 3) + conv(128, 64, 3) + dense(128, 128 * 4 * 4) + dense(10, 128)
    shortcuts = 16 * 32 + 32 * 64 + 2 * (32 + 64)
    squares = [(16, 1), *[(16, 16)] * 2, (32, 16), (32, 32), (64, 32), (64, 64)]
    expected["resnet8"] = sum(9 * o * c + 2 * o for o, c in squares) + shortcuts + dense(10, 64)
    squares = [(25 * 16, 16), (9 * 16 * 32, 32), (9 * 32 * 48, 48), (9 * 48 * 64, 64), (9 * 64 * 72, 72)]
    expected["groupnet"] = sum(weights + 2 * o for weights, o in squares) + dense(10, 72 * 3 * 3)
    assert expected["groupnet"] == 94_906
    assert (lenet, alexnet, expected["resnet8"]) == (61_706, 46_764_746, 77_754)
    assert {name: ops.network(name, shape, 10).num_parameters for name, shape in IMAGES.items()} == expected


def test_the_small_network_of_group_norms_runs_in_vectors():
    network = ops.network("groupnet", (1, 28, 28), 10)
    assert network.num_parameters < 100_000
    assert SimdEngine.supports(network, ops.StepConfig(momentum=0.9, flip=True, shift=1), "cpu") == ""


def test_alexnet_has_the_textbooks_shapes():
    network = ops.network("alexnet", (1, 224, 224), 10)
    shapes = dict(zip(network.layer_names, network.shapes[1:], strict=True))
    assert [shapes[f"conv2d{i}"] for i in range(1, 6)] == [
        (96, 54, 54),
        (256, 26, 26),
        (384, 12, 12),
        (384, 12, 12),
        (256, 12, 12),
    ]
    assert [shapes[f"maxpool2d{i}"] for i in range(1, 4)] == [(96, 26, 26), (256, 12, 12), (256, 5, 5)]
    assert [shapes[f"dense{i}"] for i in range(1, 4)] == [(4096,), (4096,), (10,)]


def test_alexnet_takes_small_images_enlarged():
    network = ops.network("alexnet", (1, 28, 28), 10, resize=224)
    assert network.num_parameters == 46_764_746
    assert network.shapes[:3] == ((1, 28, 28), (1, 224, 224), (96, 54, 54))


@pytest.mark.parametrize("name", SMALL)
def test_some_steps_on_one_batch_lower_its_loss(name):
    network = ops.network(name, IMAGES[name], 10)
    engine = ArrayEngine(network, ops.StepConfig(momentum=0.9))
    data = engine.load(*one_batch(16, IMAGES[name]))
    theta = network.init_parameters(0)
    replica = Replica(theta, np.zeros(network.num_parameters, np.float32))
    first = engine.run(replica, data, steps_of(1, 16, 0.05))
    last = engine.run(engine.run(first.replica, data, steps_of(20, 16, 0.05)).replica, data, steps_of(1, 16, 0.05))
    assert last.loss < first.loss


@pytest.mark.slow
def test_alexnet_goes_forward_and_back_with_every_gradient_in_use():
    network = ops.network("alexnet", (1, 28, 28), 10, resize=224)
    engine = ArrayEngine(network, ops.StepConfig())
    data = engine.load(*one_batch(2, (28, 28)))
    theta = network.init_parameters(0)
    loss, _, gradient = engine.gradient(theta, data, np.arange(2, dtype=np.int32), seed=0, epoch=0)
    assert np.isfinite(loss)
    for name, part in network.named_parameters(gradient):
        assert np.isfinite(part).all(), name
        assert part.any(), name


@pytest.mark.peers
@pytest.mark.parametrize("name", [name for name in GREY if name != "groupnet"])  # its dropout draws by our rule
def test_steps_end_where_pytorchs_end(name):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = ops.network(name, IMAGES[name], 10)
    step_config = ops.StepConfig(momentum=0.9, nesterov=True, weight_decay=1e-3, label_smoothing=0.1)
    engine = ArrayEngine(network, step_config)
    images, labels = one_batch(24, (1, 28, 28))
    theta = network.init_parameters(3)
    steps = Steps(
        np.arange(24, dtype=np.int32),
        np.array([0, 8, 8, 20, 24], np.int32),  # the second step is empty
        np.array([0.1, 0.5, 0.05, 0.2], np.float32),
    )
    result = engine.run(
        Replica(theta, np.zeros(network.num_parameters, np.float32)), engine.load(images, labels), steps
    )

    model = as_torch(network, theta)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9, nesterov=True, weight_decay=1e-3)
    total, correct = 0.0, 0
    for start, stop, rate in ((0, 8, 0.1), (8, 20, 0.05), (20, 24, 0.2)):
        target = torch.tensor(labels[start:stop].astype(np.int64))
        logits = model(torch.tensor(images[start:stop] / np.float32(255)))
        loss = torch.nn.functional.cross_entropy(logits, target, label_smoothing=0.1)
        optimizer.param_groups[0]["lr"] = rate
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        total += float(loss.detach()) * (stop - start)
        correct += int((logits.argmax(dim=1) == target).sum())
    # three steps of float32, whose sums run in another order there
    np.testing.assert_allclose(result.replica.theta, flat(network, model), rtol=0, atol=1e-5)
    assert result.loss == pytest.approx(total, rel=1e-5)
    assert (result.examples, result.correct) == (24, correct)
    logits = engine.predict(result.replica.theta, images)
    model.eval()
    with torch.no_grad():
        theirs = model(torch.tensor(images / np.float32(255))).numpy()
    np.testing.assert_allclose(logits, theirs, rtol=0, atol=1e-4)


@pytest.mark.peers
def test_alexnet_predicts_what_pytorch_predicts():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    network = ops.network("alexnet", (1, 224, 224), 10)
    theta = network.init_parameters(1)
    images, _ = one_batch(2, (1, 224, 224))
    ours = ArrayEngine(network, ops.StepConfig()).predict(theta, images)
    model = as_torch(network, theta).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) == network.num_parameters
    with torch.no_grad():
        theirs = model(torch.tensor(images / np.float32(255))).numpy()
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5 * np.abs(theirs).max())  # eight layers of float32


def test_no_other_module_may_take_a_networks_name():
    def lenet(input_shape, classes):
        return ops.Network("lenet", input_shape, (ops.Flatten(), ops.Dense(classes)))

    with pytest.raises(ops.OpsError, match=r"network 'lenet' is there already: ops\.zoo\.lenet"):
        ops.zoo.register("lenet")(lenet)
    assert ops.ZOO["lenet"].__module__ == "ops.zoo.lenet"
