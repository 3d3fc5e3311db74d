"""A network and its description are the same thing in two forms."""

import pickle
import sys
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest

import ops
from ops import zoo
from ops.layers import Layer, find, names
from ops.network import Network
from service.config import TrainConfig, from_preset
from service.data.channel_statistics import ChannelStatistics
from service.errors import InvalidInput
from service.networks import Description
from service.networks.building import build, describe
from service.networks.sources import network_from

TEXT = """
name = "small"
initializer = "he"
layers = [
  { conv2d = { channels = 4, kernel_size = [3, 3], stride = 1, padding = 1 } },
  { leakyrelu = { negative_slope = 0.2 } },
  { maxpool2d = { size = [2, 3], stride = 2 } },
  { conv2d = { channels = "classes", kernel_size = 1 } }, { avgpool2d = { global_pool = true } }, "flatten",
]
"""
JSON = """{"layers": [{"conv2d": {"kernel_size": 3, "channels": 4, "padding": [1, 1]}},
{"leakyrelu": {"negative_slope": 0.2}}, {"maxpool2d": {"stride": [2, 2], "size": [2, 3]}},
{"conv2d": {"channels": "classes", "kernel_size": 1}}, {"avgpool2d": {"global_pool": true}}, {"flatten": {}}],
"initializer": "he", "name": "small"}"""


def test_two_texts_that_mean_the_same_are_the_same_description():
    toml, as_json = Description.parse(TEXT), Description.parse(JSON)
    assert toml == as_json
    assert toml.digest == as_json.digest == sha256(toml.text.encode()).hexdigest()
    assert toml.data["layers"][2] == {"maxpool2d": {"size": [2, 3], "stride": 2}}
    assert Description.of(toml.data) == toml


def test_a_description_becomes_the_network_that_it_says():
    built = build(Description.parse(TEXT), (1, 28, 28), 7)
    assert built == Network(
        "small",
        (1, 28, 28),
        (
            ops.Conv2D(4, 3, padding=1),
            ops.LeakyReLU(0.2),
            ops.MaxPool2D((2, 3), stride=2),
            ops.Conv2D(7, 1),
            ops.AvgPool2D(global_pool=True),
            ops.Flatten(),
        ),
        "he",
    )
    assert build(Description.parse(TEXT), (3, 30, 28), 5).shapes[-1] == (5,)
    resized = build(Description.parse(TEXT), (1, 28, 28), 7, resize=40)
    assert resized.layers[0] == ops.Resize(40)


NORMALIZED = """
name = "normalized"
layers = [
  "normalize", { residual = { body = ["normalize"] } }, { normalize = { means = [0.5], deviations = [2] } },
  "flatten", { dense = { units = "classes" } },
]
"""


def test_normalize_without_numbers_stands_for_those_of_the_data_set():
    description = Description.parse(NORMALIZED)
    assert description.data["layers"][0] == "normalize"
    filled = ops.Normalize((0.25,), (0.5,))
    network = build(description, (1, 6, 6), 3, statistics=ChannelStatistics((0.25,), (0.5,)))
    assert network.layers[:3] == (filled, ops.Residual((filled,)), ops.Normalize((0.5,), (2,)))
    recorded = describe(network)
    assert recorded.data["layers"][0] == {"normalize": {"means": [0.25], "deviations": [0.5]}}
    assert build(recorded, (1, 6, 6), 3, statistics=ChannelStatistics((0.7,), (0.8,))) == network
    assert recorded.digest != description.digest


def test_normalize_stays_open_where_no_data_are_known_and_computes_nothing():
    network = build(Description.parse(NORMALIZED), (1, 6, 6), 3)
    assert str(network.layers[0]) == "Normalize(of the data set)"
    assert network.shapes[-1] == (3,)
    with pytest.raises(ops.ShapeError, match="Normalize needs means and deviations"):
        network.layers[0](np.ones((2, 1, 6, 6)))
    assert describe(network).data["layers"][0] == "normalize"


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (
            ChannelStatistics(),
            r"layers\[0\]: normalize needs means and deviations: the store of this data set is of a version",
        ),
        (
            ChannelStatistics((0.5,), (0.0,)),
            r"layers\[0\]: normalize: deviations must be finite numbers above 0, got 0\.0",
        ),
        (
            ChannelStatistics((0.5,) * 3, (1.0,) * 3),
            r"layers\[0\]: Normalize with 3 means can't take an input of shape \(1, 6",
        ),
    ],
)
def test_data_that_can_not_be_normalized_get_one_line(statistics: ChannelStatistics, message: str):
    with pytest.raises((InvalidInput, ops.ShapeError), match=message):
        build(Description.parse(NORMALIZED), (1, 6, 6), 3, statistics=statistics)


@pytest.mark.parametrize("name", zoo.ZOO)
def test_every_network_of_the_zoo_can_be_written_down_and_built_again(name: str):
    resize = TrainConfig(model=name).resize
    network = zoo.network(name, (3, 32, 32), 10, resize=resize)
    assert build(describe(network), (3, 32, 32), 10) == network


def test_a_text_may_stand_where_a_file_may():
    assert network_from(f"# with a slash: /\n{TEXT}", lambda: ((1, 28, 28), 10)) == Description.parse(TEXT)


@pytest.mark.parametrize("kind", names())
def test_every_layer_is_found_by_its_name(kind: str):
    assert issubclass(find(kind), Layer)


def test_a_configuration_keeps_the_description_and_a_name_alone_stays_a_name():
    config = from_preset({"model": TEXT, "epochs": 3})
    assert (config.network_name, config.published_name) == ("small", "small")
    assert from_preset({"model": TEXT, "name": "other"}).published_name == "other"
    assert config.model_dump(mode="json")["model"] == Description.parse(TEXT).data
    assert from_preset({"model": Description.parse(TEXT).data, "epochs": 3}) == config
    assert pickle.loads(pickle.dumps(config)) == config
    assert len({config, from_preset({"model": JSON, "epochs": 3})}) == 1
    assert TrainConfig().model_dump(mode="json")["model"] == "lenet"


FUNCTION = """
import ops

calls = []

def small(input_shape, classes):
    calls.append((input_shape, classes))
    layers = (ops.Conv2D(3, 3), ops.ReLU(), ops.Flatten(), ops.Dense(classes))
    return ops.Network("from-code", input_shape, layers, "he")

def nothing(input_shape, classes):
    return None

def broken(input_shape, classes):
    raise KeyError("no such thing\\nat all")

def too_large(input_shape, classes):
    return ops.Network("large", input_shape, (ops.Conv2D(3, 99),))

class Twice(ops.Layer):
    def forward(self, x, parameters, context):
        return 2 * x, None

    def backward(self, dy, saved, parameters, *, input_gradient=True):
        return 2 * dy, {}

def foreign(input_shape, classes):
    return ops.Network("foreign", input_shape, (Twice(), ops.Flatten(), ops.Dense(classes)))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "my_networks").mkdir()
    (tmp_path / "my_networks" / "small.py").write_text(FUNCTION)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [path for path in sys.path if path])
    yield "my_networks.small"
    for name in [name for name in sys.modules if name.startswith("my_networks")]:
        del sys.modules[name]


def test_a_function_is_called_once_and_its_network_becomes_a_description(package: str):
    found = network_from(f"{package}:small", lambda: ((1, 12, 12), 5))
    assert isinstance(found, Description)
    assert sys.modules[package].calls == [((1, 12, 12), 5)]
    assert found.data == {
        "name": "from-code",
        "initializer": "he",
        "layers": [{"conv2d": {"channels": 3, "kernel_size": 3}}, "relu", "flatten", {"dense": {"units": 5}}],
    }
    network = build(found, (1, 12, 12), 5)
    assert network == sys.modules[package].small((1, 12, 12), 5)
    assert np.isfinite(network.init_parameters(0)).all()


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("nothing", r"must return an ops\.Network, got NoneType"),
        ("missing", "can't be called: AttributeError: module 'my_networks.small' has no attribute 'missing'"),
        ("broken", "can't be called: KeyError: "),
        ("too_large", r"kernel_size \(99, 99\) with dilation"),
        ("foreign", "layer Twice of my_networks.small can't be described"),
    ],
)
def test_a_function_that_gives_no_network_gets_one_line(package: str, function: str, message: str):
    with pytest.raises(InvalidInput, match=message) as refusal:
        network_from(f"{package}:{function}", lambda: ((1, 12, 12), 5))
    assert "\n" not in str(refusal.value)


def test_a_module_that_is_not_there_gets_one_line():
    with pytest.raises(InvalidInput, match=r"^no_such_package:lenet can't be called: ModuleNotFoundError"):
        network_from("no_such_package:lenet", lambda: ((1, 12, 12), 5))
