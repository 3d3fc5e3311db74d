"""A network of ours as a PyTorch model with the same parameters."""

from typing import Any

import numpy as np
import pytest

import ops


def as_torch(network: ops.Network, theta: np.ndarray) -> Any:
    """A `torch.nn.Sequential` whose parameters, in order, are those of theta."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    nn = torch.nn
    modules = []
    for layer, shape in zip(network.layers, network.shapes, strict=False):
        match layer:
            case ops.Conv2D():
                window = {"stride": layer.stride, "padding": layer.padding, "groups": layer.groups}
                modules.append(nn.Conv2d(shape[0], layer.channels, layer.kernel_size, **window))
            case ops.Dense():
                modules.append(nn.Linear(shape[0], layer.units))
            case ops.MaxPool2D():
                modules.append(nn.MaxPool2d(layer.size, layer.stride, layer.padding))
            case ops.AvgPool2D():
                modules.append(nn.AvgPool2d(layer.size, layer.stride, layer.padding))
            case ops.Dropout():
                modules.append(nn.Dropout(layer.rate))
            case _:
                modules.append({"Sigmoid": nn.Sigmoid, "ReLU": nn.ReLU, "Flatten": nn.Flatten}[type(layer).__name__]())
    model = nn.Sequential(*modules)
    for (_, values), parameter in zip(network.named_parameters(theta), model.parameters(), strict=True):
        assert tuple(parameter.shape) == values.shape
        parameter.data = torch.tensor(values)
    return model


def flat(model: Any) -> np.ndarray:
    """A PyTorch model's parameters as one vector."""
    return np.concatenate([parameter.detach().numpy().ravel() for parameter in model.parameters()])
