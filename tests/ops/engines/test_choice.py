"""Which engine is taken when one is asked for by name."""

import pytest

import ops
from ops.engines import Choice, build, choose, cuda, simd
from ops.engines.array import ArrayEngine

NETWORK = ops.network("mlp", (1, 8, 8), 3)


def test_the_array_engine_can_always_be_had():
    choice = choose(NETWORK, ops.StepConfig(), engine="array", device="cpu")
    assert choice == Choice("array", "cpu", "")
    engine = build(choice, NETWORK, ops.StepConfig())
    assert isinstance(engine, ArrayEngine)
    assert engine.device == "cpu"


@pytest.mark.parametrize(("engine", "device"), [("simd", "cuda"), ("cuda", "cpu")])
def test_an_engine_on_the_wrong_device_is_refused(engine, device):
    with pytest.raises(ops.Unsupported, match=f"engine '{engine}' runs on"):
        choose(NETWORK, ops.StepConfig(), engine=engine, device=device)


def test_another_precision_is_for_a_gpu_and_for_no_engine_with_kernels_in_float32():
    step_config = ops.StepConfig(precision="tf32")
    with pytest.raises(ops.Unsupported, match="precision 'tf32' needs a GPU"):
        choose(NETWORK, step_config, device="cpu")
    for check in (simd.check, cuda.check):
        with pytest.raises(ops.Unsupported, match="computes in float32, not in tf32"):
            check(NETWORK, step_config)


@pytest.mark.parametrize("engine", [simd, cuda])
def test_a_layer_derived_from_another_needs_kernels_of_its_own(engine):
    class Clipped(ops.ReLU):
        def value(self, x):
            return super().value(x).clip(max=6)

    network = ops.Network("clipped", (1, 4, 4), (ops.Flatten(), ops.Dense(3), Clipped()))
    with pytest.raises(ops.Unsupported, match="no kernels for clipped1"):
        engine.check(network, ops.StepConfig())
