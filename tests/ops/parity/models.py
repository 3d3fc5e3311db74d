"""A network of ours as a PyTorch model with the same parameters."""

from typing import Any

import numpy as np
import pytest

import ops


def as_torch(network: ops.Network, theta: np.ndarray) -> Any:
    """A `torch.nn.Sequential` under our names, whose parameters and buffers are those of theta."""
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    from service.bench.torch_module import module

    model = module(network)
    model.load_state_dict({name: torch.tensor(view) for name, view in network.named_parameters(theta)})
    return model


def flat(network: ops.Network, model: Any) -> np.ndarray:
    """A PyTorch model's parameters and buffers as one vector, in our order."""
    state = model.state_dict()
    return np.concatenate([state[piece.name].numpy().ravel() for piece in network.table])
