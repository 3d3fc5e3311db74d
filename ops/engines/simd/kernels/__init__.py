"""The kernels of each kind of layer, one a file, and those of a step that belong to no layer.

base, buffers           what a kind of layer provides, and what it is given
activation, conv, dense, dropout, flatten, group_norm, pool, resize      kinds of layers
augment, pixels, loss, update       random flips and shifts, bytes to numbers, the loss, the SGD update

Every module of this folder is imported here, so that its classes register themselves.
"""

from importlib import import_module
from pkgutil import iter_modules

from ops.engines.simd.kernels.base import LayerKernels, find, kernels_of, register

for _module in iter_modules(__path__):
    import_module(f"{__name__}.{_module.name}")

__all__ = ["LayerKernels", "find", "kernels_of", "register"]
