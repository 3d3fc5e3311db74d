"""From a product of a convolution to a plan that cuDNN executes, chosen without timing anything."""

from dataclasses import dataclass

from ops.backends.cuda import cudnn
from ops.backends.cuda.convolution import Convolution, Problem
from ops.backends.cuda.cudnn import Descriptor, Heuristic, Kind, Library, Note, Type
from ops.errors import Unsupported

MOST_WORKSPACE = 1 << 30
"""Bytes that an engine may ask for besides its operands."""

ORDER = {
    False: (Heuristic.NETWORK, Heuristic.TREES, Heuristic.FALLBACK),
    True: (Heuristic.TREES, Heuristic.FALLBACK),
}
"""Whose proposals are taken, without and with tensor cores: AlexNet's convolutions took 11.0 and 4.6 ms on an H200 this
way, and 11.4 and 4.8 the other."""

KINDS = {"forward": Kind.FORWARD, "data": Kind.DATA_GRADIENT, "weights": Kind.WEIGHTS_GRADIENT}

X, W, Y = 1, 2, 3
"""The operands' numbers in a plan."""


@dataclass(frozen=True)
class Plan:
    """What to execute, and how many bytes of workspace it needs."""

    descriptor: Descriptor
    workspace: int


def plan(library: Library, handle: int, problem: Problem) -> Plan:
    """The first engine that cuDNN proposes and that gives the same bits every time.

    Raises Unsupported where there is none.
    """
    graph = operation(library, problem).set(cudnn.GRAPH_HANDLE, Type.HANDLE, handle).final()
    refused = ""
    for configuration in cudnn.proposals(library, graph, ORDER[problem.tensor_cores]):
        if not acceptable(cudnn.notes(library, configuration), problem):
            continue
        made = Descriptor(library, Kind.PLAN).set(cudnn.PLAN_HANDLE, Type.HANDLE, handle)
        try:
            made.set(cudnn.PLAN_CONFIG, Type.DESCRIPTOR, configuration).final()
        except Unsupported as error:
            refused = str(error)
            continue
        workspace = int(made.numbers(cudnn.PLAN_WORKSPACE, Type.INT64, 1)[0])
        if workspace <= MOST_WORKSPACE:
            return Plan(made, workspace)
    raise Unsupported(
        f"cuDNN {library.version} has no deterministic engine for {problem}; {refused or 'none proposed'}"
    )


def acceptable(notes: frozenset[int], problem: Problem) -> bool:
    """Whether an engine's numbers are those that were asked for, the same every time."""
    if notes & {Note.NONDETERMINISTIC, Note.REDUCED_PRECISION_REDUCTION}:
        return False
    return problem.tensor_cores or not notes & {Note.TENSOR_CORE, Note.DOWN_CONVERT_INPUTS}


def operation(library: Library, problem: Problem) -> Descriptor:
    """The graph of one operation; not yet final."""
    of = problem.convolution
    x, w, y = (tensor(library, number, shape) for number, shape in ((X, of.x_shape), (W, of.w_shape), (Y, of.y_shape)))
    geometry = convolution(library, of)
    alpha, beta, *operands = cudnn.OPERATION[KINDS[problem.product]]
    made = Descriptor(library, KINDS[problem.product])
    made.set(alpha, Type.FLOAT, 1.0).set(beta, Type.FLOAT, 0.0)
    for attribute, descriptor in zip(operands, (geometry, w, x, y), strict=True):
        made.set(attribute, Type.DESCRIPTOR, descriptor)
    return Descriptor(library, Kind.GRAPH).set(cudnn.GRAPH_OPERATIONS, Type.DESCRIPTOR, made.final())


def convolution(library: Library, of: Convolution) -> Descriptor:
    """A convolution's geometry; sums in float32."""
    made = Descriptor(library, Kind.CONVOLUTION)
    made.set(cudnn.CONV_SPATIAL_DIMS, Type.INT64, 2).set(cudnn.CONV_COMPUTE_TYPE, Type.DATA_TYPE, cudnn.FLOAT32)
    made.set(cudnn.CONV_MODE, Type.CONVOLUTION_MODE, cudnn.CROSS_CORRELATION)
    made.set(cudnn.CONV_PRE_PADDINGS, Type.INT64, *of.padding).set(cudnn.CONV_POST_PADDINGS, Type.INT64, *of.padding)
    made.set(cudnn.CONV_DILATIONS, Type.INT64, *of.dilation).set(cudnn.CONV_STRIDES, Type.INT64, *of.stride)
    return made.final()


def tensor(library: Library, number: int, shape: tuple[int, ...]) -> Descriptor:
    """A float32 tensor (n, h, w, c), which cuDNN calls (n, c, h, w) with strides to match."""
    n, h, w, c = shape
    made = Descriptor(library, Kind.TENSOR).set(cudnn.TENSOR_TYPE, Type.DATA_TYPE, cudnn.FLOAT32)
    made.set(cudnn.TENSOR_DIMENSIONS, Type.INT64, n, c, h, w)
    made.set(cudnn.TENSOR_STRIDES, Type.INT64, h * w * c, 1, w * c, c)
    return made.set(cudnn.TENSOR_ID, Type.INT64, number).set(cudnn.TENSOR_ALIGNMENT, Type.INT64, 16).final()


def variant(library: Library, pointers: tuple[int, int, int], workspace: int) -> Descriptor:
    """A plan's operands: the addresses of x, w and y, and of the workspace."""
    made = Descriptor(library, Kind.VARIANT_PACK).set(cudnn.VARIANT_IDS, Type.INT64, X, W, Y)
    made.set(cudnn.VARIANT_POINTERS, Type.POINTER, *pointers)
    return made.set(cudnn.VARIANT_WORKSPACE, Type.POINTER, workspace).final()
