"""The SIMD engine does what the composed operators do, in float32 and in float64."""

import numpy as np
import pytest

from ops.engines.simd import SimdEngine
from ops.engines.simd.cpu import cpu
from ops.errors import Unsupported
from ops.testing.cases import BLOCKS, NETWORKS, STEP_CONFIGS, pictures, replica, step_config_of, steps
from tests.ops.engines.networks import tried
from tests.ops.engines.simd.conftest import AVX2

ON_X86 = pytest.mark.skipif(not cpu().x86, reason="the narrower vectors are those of older x86 processors")


def assert_alone_is_as_in_company(network, step_config):
    engine, theta = SimdEngine(network, step_config), replica(network).theta
    images, _ = pictures(network)
    engine.predict(np.full_like(theta, np.nan), images)  # leaves what nobody may read
    together = engine.predict(theta, images)
    for first, many in ((0, 1), (1, 3), (40, 17)):
        alone = engine.predict(theta, images[first : first + many])
        np.testing.assert_array_equal(alone, together[first : first + many])


@pytest.mark.parametrize("name", tried(NETWORKS))
def test_a_prediction_alone_has_the_bits_it_has_in_company(name):
    assert_alone_is_as_in_company(NETWORKS[name], step_config_of(NETWORKS[name]))


@pytest.mark.parametrize("name", tried(["group norm", "group norms", "normalized"]))
def test_a_normalised_prediction_alone_has_the_bits_it_has_in_company(name):
    assert_alone_is_as_in_company(BLOCKS[name], STEP_CONFIGS[1])


@ON_X86
@pytest.mark.parametrize(
    "name",
    ["padded", "dropout", "group norms"]
    + [pytest.param(name, marks=pytest.mark.slow) for name in ("dense", "plain", "hanging average pools", "resized")],
)
def test_processors_with_narrower_vectors_come_to_the_same(name, pretend):
    network, step_config = (NETWORKS | BLOCKS)[name], STEP_CONFIGS[1]
    images, labels = pictures(network)
    start, plan = replica(network), steps(20, 9, 33, 1, rate=0.05)
    outcomes = []
    for narrow in (False, True):
        if narrow:
            pretend("haswell", AVX2)
            assert cpu().lanes == 8
        engine = SimdEngine(network, step_config)
        outcomes.append(engine.run(start, engine.load(images, labels), plan))
    wide, narrow = outcomes
    # sums over lanes are added in another order: rounding, over four steps
    np.testing.assert_allclose(narrow.replica.theta, wide.replica.theta, rtol=0, atol=5e-6)
    assert narrow.loss == pytest.approx(wide.loss, rel=1e-5)
    assert narrow.correct == wide.correct
    assert_alone_is_as_in_company(network, step_config)


def test_processors_without_fma_are_refused(pretend):
    if not cpu().x86:
        pytest.skip("NEON always has it")
    pretend("nehalem", ("sse", "sse2", "sse4.2", "64bit", "cx8"))
    with pytest.raises(Unsupported, match="needs a processor with AVX2 and FMA"):
        SimdEngine(NETWORKS["dense"], STEP_CONFIGS[0])
