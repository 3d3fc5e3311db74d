"""Networks ready to train, each a function of the shape of an image and the number of classes.

registry                     the table, and how one is added
lenet, mlp                   for images of 28x28
convnet                      for pictures in colour of 32x32
groupnet                     the most accurate small one for 28x28 on a CPU
alexnet                      where the textbook's chapter on modern networks begins
vgg, nin, googlenet, resnet, densenet        how it goes on; `resnet8` is for 28x28 and 32x32

A network is added by one function like these, under `@register("its-name")`; no engine needs to know.
"""

from importlib import import_module

from ops.zoo.registry import ZOO, NetworkFunction, network, register

for _name in (
    "lenet",
    "mlp",
    "convnet",
    "groupnet",
    "alexnet",
    "vgg",
    "nin",
    "googlenet",
    "resnet",
    "densenet",
):  # in the table's order
    import_module(f"{__name__}.{_name}")

__all__ = ["ZOO", "NetworkFunction", "network", "register"]
