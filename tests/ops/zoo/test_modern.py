"""The textbook's modern networks beside PyTorch modules that are built here as the textbook builds them.

Source: Dive into Deep Learning, "Modern Convolutional Neural Networks".
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

import ops

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytestmark = pytest.mark.peers
nn = torch.nn


def vgg_block(count: int, channels: int) -> Any:
    layers: list[Any] = []
    for _ in range(count):
        layers += [nn.LazyConv2d(channels, kernel_size=3, padding=1), nn.ReLU()]
    return nn.Sequential(*layers, nn.MaxPool2d(kernel_size=2, stride=2))


def vgg() -> Any:
    blocks = [vgg_block(*each) for each in ((1, 16), (1, 32), (2, 64), (2, 128), (2, 128))]
    dense = [nn.LazyLinear(4096), nn.ReLU(), nn.Dropout(0.5)]
    more = [nn.LazyLinear(4096), nn.ReLU(), nn.Dropout(0.5), nn.LazyLinear(10)]
    return nn.Sequential(*blocks, nn.Flatten(), *dense, *more)


def nin_block(channels: int, size: int, stride: int, padding: int) -> Any:
    first, *rest = (
        nn.LazyConv2d(channels, size, stride, padding),
        nn.LazyConv2d(channels, kernel_size=1),
        nn.LazyConv2d(channels, kernel_size=1),
    )
    return nn.Sequential(first, nn.ReLU(), rest[0], nn.ReLU(), rest[1], nn.ReLU())


def nin() -> Any:
    return nn.Sequential(
        nin_block(96, 11, 4, 0),
        nn.MaxPool2d(3, stride=2),
        nin_block(256, 5, 1, 2),
        nn.MaxPool2d(3, stride=2),
        nin_block(384, 3, 1, 1),
        nn.MaxPool2d(3, stride=2),
        nn.Dropout(0.5),
        nin_block(10, 3, 1, 1),
        nn.AdaptiveAvgPool2d((1, 1)),
        nn.Flatten(),
    )


class Inception(nn.Module):
    def __init__(self, c1: int, c2: Sequence[int], c3: Sequence[int], c4: int) -> None:
        super().__init__()
        self.b1_1 = nn.LazyConv2d(c1, kernel_size=1)
        self.b2_1 = nn.LazyConv2d(c2[0], kernel_size=1)
        self.b2_2 = nn.LazyConv2d(c2[1], kernel_size=3, padding=1)
        self.b3_1 = nn.LazyConv2d(c3[0], kernel_size=1)
        self.b3_2 = nn.LazyConv2d(c3[1], kernel_size=5, padding=2)
        self.b4_1 = nn.MaxPool2d(kernel_size=3, stride=1, padding=1)
        self.b4_2 = nn.LazyConv2d(c4, kernel_size=1)

    def forward(self, x: Any) -> Any:
        relu = nn.functional.relu
        b1 = relu(self.b1_1(x))
        b2 = relu(self.b2_2(relu(self.b2_1(x))))
        b3 = relu(self.b3_2(relu(self.b3_1(x))))
        b4 = relu(self.b4_2(self.b4_1(x)))
        return torch.cat((b1, b2, b3, b4), dim=1)


def googlenet() -> Any:
    def pool() -> Any:
        return nn.MaxPool2d(kernel_size=3, stride=2, padding=1)

    return nn.Sequential(
        *(nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3), nn.ReLU(), pool()),
        *(nn.LazyConv2d(64, kernel_size=1), nn.ReLU()),
        *(nn.LazyConv2d(192, kernel_size=3, padding=1), nn.ReLU(), pool()),
        *(Inception(64, (96, 128), (16, 32), 32), Inception(128, (128, 192), (32, 96), 64), pool()),
        *(Inception(192, (96, 208), (16, 48), 64), Inception(160, (112, 224), (24, 64), 64)),
        *(Inception(128, (128, 256), (24, 64), 64), Inception(112, (144, 288), (32, 64), 64)),
        *(Inception(256, (160, 320), (32, 128), 128), pool()),
        *(Inception(256, (160, 320), (32, 128), 128), Inception(384, (192, 384), (48, 128), 128)),
        *(nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(10)),
    )


class Residual(nn.Module):
    def __init__(self, channels: int, *, use_1x1conv: bool = False, strides: int = 1) -> None:
        super().__init__()
        self.conv1 = nn.LazyConv2d(channels, kernel_size=3, padding=1, stride=strides)
        self.bn1 = nn.LazyBatchNorm2d()
        self.conv2 = nn.LazyConv2d(channels, kernel_size=3, padding=1)
        self.bn2 = nn.LazyBatchNorm2d()
        self.conv3 = nn.LazyConv2d(channels, kernel_size=1, stride=strides) if use_1x1conv else None

    def forward(self, x: Any) -> Any:
        y = self.bn2(self.conv2(nn.functional.relu(self.bn1(self.conv1(x)))))
        return nn.functional.relu(y + (self.conv3(x) if self.conv3 else x))


def stem() -> list[Any]:
    first = nn.LazyConv2d(64, kernel_size=7, stride=2, padding=3)
    return [first, nn.LazyBatchNorm2d(), nn.ReLU(), nn.MaxPool2d(kernel_size=3, stride=2, padding=1)]


def resnet18() -> Any:
    net = stem()
    for index, (count, channels) in enumerate(((2, 64), (2, 128), (2, 256), (2, 512))):
        for block in range(count):
            narrows = block == 0 and index > 0
            net.append(Residual(channels, use_1x1conv=narrows, strides=2 if narrows else 1))
    return nn.Sequential(*net, nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(10))


class DenseBlock(nn.Module):
    def __init__(self, count: int, channels: int) -> None:
        super().__init__()
        self.net = nn.Sequential(
            *(
                nn.Sequential(nn.LazyBatchNorm2d(), nn.ReLU(), nn.LazyConv2d(channels, kernel_size=3, padding=1))
                for _ in range(count)
            )
        )

    def forward(self, x: Any) -> Any:
        for block in self.net:
            x = torch.cat((x, block(x)), dim=1)
        return x


def densenet() -> Any:
    net, channels = stem(), 64
    for index in range(4):
        net.append(DenseBlock(4, 32))
        channels += 4 * 32
        if index != 3:
            channels //= 2
            half = nn.LazyConv2d(channels, kernel_size=1)
            net.append(nn.Sequential(nn.LazyBatchNorm2d(), nn.ReLU(), half, nn.AvgPool2d(kernel_size=2, stride=2)))
    return nn.Sequential(
        *net, nn.LazyBatchNorm2d(), nn.ReLU(), nn.AdaptiveAvgPool2d((1, 1)), nn.Flatten(), nn.LazyLinear(10)
    )


TEXTBOOK = {
    "vgg": (vgg, 224, (128, 7, 7), 43_093_322),
    "nin": (nin, 224, (10, 5, 5), 1_992_166),
    "googlenet": (googlenet, 96, (1024, 3, 3), 5_977_530),
    "resnet18": (resnet18, 96, (512, 3, 3), 11_178_378),
    "densenet": (densenet, 96, (248, 3, 3), 758_226),
}
"""The module, the side of the textbook's images, the last planes and how many parameters there are."""


@pytest.mark.parametrize("name", list(TEXTBOOK))
def test_a_modern_network_is_the_textbooks(name):
    make, side, planes, parameters = TEXTBOOK[name]
    network = ops.network(name, (1, side, side), 10)
    images = np.random.default_rng(1).uniform(size=(2, 1, side, side)).astype(np.float32)
    model = make().eval()
    with torch.no_grad():
        model(torch.tensor(images))  # settles how many channels come in
    assert network.num_parameters == sum(each.numel() for each in model.parameters()) == parameters
    assert [shape for shape in network.shapes if len(shape) == 3 and shape[1] > 1][-1] == planes

    theta = network.init_parameters(3)
    theta[network.num_parameters :] += np.random.default_rng(2).uniform(0, 0.1, network.size - parameters)
    views = dict(network.named_parameters(theta))
    trained = [views[piece.name] for piece in network.table if not piece.buffer]
    rest = [views[piece.name] for piece in network.table if piece.buffer]
    theirs = [each for each in model.buffers() if each.ndim]  # without the counts of batches
    with torch.no_grad():
        for mine, other in (*zip(trained, model.parameters(), strict=True), *zip(rest, theirs, strict=True)):
            other.copy_(torch.tensor(mine))
        expected = model(torch.tensor(images)).numpy()
    context = ops.layers.Context()
    ours, _ = ops.passes.forward(network, network.parameters(theta), images, context)
    # up to twenty layers of float32
    np.testing.assert_allclose(ours, expected, rtol=0, atol=2e-5 * np.abs(expected).max())
