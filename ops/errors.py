"""What the operators raise when an argument can't be taken.

OpsError (a ValueError)
├── ShapeError      an array has the wrong number of axes or sizes that don't fit together
├── DtypeError      an array is of a type that the operator doesn't compute in
├── GeometryError   a kernel size, stride, padding, dilation or group count that can't be
├── RangeError      a number outside the range it must lie in, such as a dropout rate
├── LabelError      a class number outside the network's classes
└── Unsupported     an engine that can't run this network or step configuration; the message says why

Every message names the argument, what was expected and what came.
"""


class OpsError(ValueError):
    """An argument that the operators can't take."""


class ShapeError(OpsError):
    """An array's axes or sizes don't fit."""


class DtypeError(OpsError):
    """An array's type is not one that the operator computes in."""


class GeometryError(OpsError):
    """A window (size, stride, padding, dilation, groups) that can't be."""


class RangeError(OpsError):
    """A number outside the range it must lie in."""


class LabelError(OpsError):
    """A label outside the classes."""


class Unsupported(OpsError):
    """An engine can't run this network in such steps."""
