"""Parameters and buffers by name, the way PyTorch's `load_state_dict` takes them, and back into one vector."""

from collections.abc import Mapping, Set
from pathlib import Path

import numpy as np
import safetensors
from numpy.typing import NDArray
from safetensors.numpy import load_file

from ops.engines.base import Floats
from ops.network import Network
from service.errors import DataError, InvalidInput
from service.registry.exports.names import NO_TENSORS, layer_order, running_orders, without_wrappers

READABLE = ("F64", "F32", "F16", "BF16")
"""The types that weights may have, by safetensors' names."""


def as_tensors(network: Network, theta: Floats) -> dict[str, Floats]:
    """Each parameter and buffer under its name (`conv2d1.weight`), in the layout that PyTorch uses."""
    return {name: np.array(view, np.float32) for name, view in network.named_parameters(theta)}


def from_tensors(network: Network, tensors: Mapping[str, NDArray[np.generic]]) -> Floats:
    """The vector (size,) that these tensors stand for: found by name, or else taken in their order.

    What wrappers add to names (`module.`, `_orig_mod.`) is taken off, and how many batches a batch norm of PyTorch has
    seen is left out. A state dict written elsewhere has names of its own (`net.0.weight`); the order in which layers
    with such names run is used where the names aren't ours and every shape fits.
    Raises InvalidInput where a tensor is missing, too many, of another shape, or not finite.
    """
    wanted = [piece.name for piece in network.table]
    tensors = without_wrappers(tensors, wanted)
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
    """Raise DataError where a tensor is of a type that weights can't have, such as those of 8 bits."""
    with safetensors.safe_open(path, framework="np") as file:
        types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118 -- it is no mapping
    for name, found in types.items():
        if found not in READABLE and not name.endswith(NO_TENSORS):
            raise DataError(
                f"{name} in {path} is of type {found}, which can't be read: convert it to float32 where it comes from"
            )


def _by_order(network: Network, tensors: Mapping[str, NDArray[np.generic]]) -> list[NDArray[np.generic]]:
    pieces = network.table
    if len(tensors) != len(pieces):
        own = {piece.name for piece in pieces}
        raise InvalidInput(
            f"network {network.name!r} has {len(pieces)} tensors ({_some(own - set(tensors))}), "
            f"got {len(tensors)} ({_some(set(tensors) - own)})"
        )
    ours = layer_order([piece.name for piece in pieces])
    for names in running_orders(tensors):
        found = {at: tensors[name] for at, name in zip(ours, names, strict=True)}
        if all(found[at].shape == piece.shape for at, piece in enumerate(pieces)):
            return [found[at] for at in range(len(pieces))]
    return _by_shape(network, tensors)  # shapes that occur once decide where the names don't


def _some(names: Set[str]) -> str:
    """Names that the other side lacks, if not too many."""
    shown = ", ".join(sorted(names)[:10]) or "nothing that the other lacks"
    return f"{shown}, …" if len(names) > 10 else shown


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
