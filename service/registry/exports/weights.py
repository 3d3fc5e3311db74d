"""Parameters and buffers by name, the way PyTorch's `load_state_dict` takes them, and back into one vector."""

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ops.engines.base import Floats
from ops.network import Network
from service.errors import DataError, InvalidInput

READABLE = ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")
"""The types of tensors that NumPy can hold, by safetensors' names."""

KEYS = ("weight", "bias", "running_mean", "running_var")
"""The order of a layer's tensors."""


def as_tensors(network: Network, theta: Floats) -> dict[str, Floats]:
    """Each parameter and buffer under its name (`conv2d1.weight`), in the layout that PyTorch uses."""
    return {name: np.array(view, np.float32) for name, view in network.named_parameters(theta)}


def from_tensors(network: Network, tensors: Mapping[str, NDArray[np.generic]]) -> Floats:
    """The vector (size,) that these tensors stand for: found by name, or else taken in their order.

    A state dict written elsewhere has names of its own (`net.0.weight`); PyTorch's `state_dict` lists layers in the
    order in which they run, and that order is used where the names aren't ours and every shape fits. How many batches
    a batch norm of PyTorch has seen is left out.
    Raises InvalidInput where a tensor is missing, too many, of another shape, or not finite.
    """
    tensors = {name: tensor for name, tensor in tensors.items() if not name.endswith("num_batches_tracked")}
    wanted = [piece.name for piece in network.table]
    found = [tensors[name] for name in wanted] if set(tensors) == set(wanted) else _by_order(network, tensors)
    theta = np.empty(network.size, np.float32)
    for (name, view), tensor in zip(network.named_parameters(theta), found, strict=True):
        if tensor.shape != view.shape:
            raise InvalidInput(f"{name} of network {network.name!r} has shape {view.shape}, got {tensor.shape}")
        view[...] = tensor
    if not np.isfinite(theta).all():
        raise InvalidInput("weights must be finite numbers, got NaN or infinity")
    return theta


def read_weights(path: Path) -> dict[str, NDArray[np.generic]]:
    """The tensors of a safetensors file. Raises DataError where it isn't one: pickled files are never opened."""
    import ml_dtypes  # noqa: F401 -- has NumPy know bfloat16; it comes with ONNX, and takes long to import

    try:
        _check_types(path)
        tensors: dict[str, NDArray[np.generic]] = load_file(path)
    except (OSError, ValueError, KeyError, safetensors.SafetensorError) as error:
        raise DataError(f"{path} is not a safetensors file that can be read: {error}") from None
    return tensors


def _check_types(path: Path) -> None:
    """Raise DataError where a tensor is of a type that NumPy lacks, such as those of 8 bits."""
    with safetensors.safe_open(path, framework="np") as file:
        types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 -- it is no mapping
    for name, found in types.items():
        if found not in READABLE:
            raise DataError(
                f"{name} in {path} is of type {found}, which can't be read: convert it to float32 where it comes from"
            )


def _by_order(network: Network, tensors: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    pieces = network.table
    if len(tensors) != len(pieces):
        raise InvalidInput(
            f"network {network.name!r} has {len(pieces)} parameters ({', '.join(piece.name for piece in pieces)}), "
            f"got {len(tensors)} ({', '.join(sorted(tensors)[:20])})"
        )
    # A safetensors file keeps no order of its own. Numbers in the names (`net.0`, `net.10`, `conv1`, `fc2`) tell the
    # layers' order; a layer's weight comes before its bias. Shapes that occur once decide where the names don't.
    names = sorted(tensors, key=lambda name: (_natural(name.rpartition(".")[0]), _turn(name)))
    ours = sorted(range(len(pieces)), key=lambda at: pieces[at].layer)  # a layer's buffers right behind its parameters
    found = {at: tensors[name] for at, name in zip(ours, names, strict=True)}
    if any(found[at].shape != piece.shape for at, piece in enumerate(pieces)):
        return _by_shape(network, tensors)
    return [found[at] for at in range(len(pieces))]


def _by_shape(network: Network, tensors: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    found = []
    for piece in network.table:
        fitting = [name for name, tensor in tensors.items() if tensor.shape == piece.shape]
        if len(fitting) != 1:
            raise InvalidInput(
                f"{piece.name} of network {network.name!r} has shape {piece.shape}; "
                f"{len(fitting)} of the tensors have that shape ({', '.join(fitting) or 'none'})"
            )
        found.append(tensors[fitting[0]])
    return found


def _turn(name: str) -> int:
    """Where a layer's tensor of that name stands among its others."""
    key = name.rpartition(".")[2]
    return KEYS.index(key) if key in KEYS else 0


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]
