"""Forward as in onnxruntime, over hundreds of drawn shapes, in float32."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import ops
from tests.arrays import normal
from tests.ops.parity.errors import Largest
from tests.strategies import ConvCase, PoolCase, conv_cases, pool_cases

onnx = pytest.importorskip("onnx", reason="onnx is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
CASES = 300


def answer(kind: str, inputs: dict[str, np.ndarray], **attributes: Any) -> np.ndarray:
    """What one ONNX operator makes of the inputs."""
    names = list(inputs)
    values = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, array.shape) for name, array in inputs.items()
    ]
    out = onnx.helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, None)
    graph = onnx.helper.make_graph([onnx.helper.make_node(kind, names, ["y"], **attributes)], "one", values, [out])
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 22)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, inputs)[0]


def pool_attributes(case: PoolCase) -> dict[str, Any]:
    return {
        "kernel_shape": case.size,
        "strides": case.window["stride"] or case.size,
        "pads": case.window["padding"] * 2,
        "ceil_mode": int(case.window["ceil_mode"]),
    }


def test_convolution_forward(report: Callable[[str], None]) -> None:
    largest = Largest("convolution, onnxruntime, forward")

    @given(case=conv_cases())
    @settings(max_examples=CASES)
    def check(case: ConvCase) -> None:
        inputs = {
            "x": normal(np, case.seed, case.x_shape, np.float32),
            "w": normal(np, case.seed + 1, case.w_shape, np.float32),
            "b": normal(np, case.seed + 2, case.w_shape[:1], np.float32),
        }
        window = case.window
        theirs = answer(
            "Conv",
            inputs,
            strides=window["stride"],
            pads=window["padding"] * 2,
            dilations=window["dilation"],
            group=window["groups"],
        )
        largest.check([ops.conv2d(*inputs.values(), **window)], [theirs])

    check()
    largest.finish(CASES, report)


def test_max_pooling_forward(report: Callable[[str], None]) -> None:
    largest = Largest("max pooling, onnxruntime, forward")

    @given(case=pool_cases())
    @settings(max_examples=CASES)
    def check(case: PoolCase) -> None:
        x = normal(np, case.seed, case.x_shape, np.float32)
        theirs = answer("MaxPool", {"x": x}, **pool_attributes(case))
        largest.check([ops.max_pool2d(x, case.size, **case.window)[0]], [theirs])

    check()
    largest.finish(CASES, report)


def test_average_pooling_forward(report: Callable[[str], None]) -> None:
    largest = Largest("average pooling, onnxruntime, forward")

    @given(case=pool_cases(), include=st.booleans())
    @settings(max_examples=CASES)
    def check(case: PoolCase, include: bool) -> None:
        x = normal(np, case.seed, case.x_shape, np.float32)
        theirs = answer("AveragePool", {"x": x}, count_include_pad=int(include), **pool_attributes(case))
        largest.check([ops.avg_pool2d(x, case.size, count_include_pad=include, **case.window)], [theirs])

    check()
    largest.finish(CASES, report)
