"""Every engine keeps the contract; that of GPUs with its own kernels run on the CPU."""

from shutil import which
from types import MappingProxyType

import pytest

from ops.engines.array import ArrayEngine
from ops.engines.cuda import CudaEngine
from ops.engines.simd import SimdEngine
from ops.engines.stages import StagesEngine
from ops.testing.cases import BLOCKS, NETWORKS
from ops.testing.engines import EngineContract
from tests.ops.backends.cuda.host import HostDevice as BackendsHostDevice
from tests.ops.engines.cuda.host import HostDevice
from tests.ops.engines.networks import seldom


class TestArrayEngine(EngineContract):
    networks = MappingProxyType(NETWORKS | BLOCKS)

    @classmethod
    def build(cls, network, step_config):
        return ArrayEngine(network, step_config)


class TestSimdEngine(EngineContract):
    networks = MappingProxyType(NETWORKS | {name: BLOCKS[name] for name in ("group norm", "group norms", "normalized")})
    slow = seldom(networks)

    @classmethod
    def build(cls, network, step_config):
        return SimdEngine(network, step_config)


@pytest.mark.skipif(which("g++") is None, reason="running CUDA sources on the CPU takes g++")
class TestCudaEngine(EngineContract):
    networks = MappingProxyType({name: NETWORKS[name] for name in ("no biases", "plain", "max pools", "dropout")})
    sizes = (5, 0, 1, 8)  # every thread is a fiber

    @classmethod
    def build(cls, network, step_config):
        return CudaEngine(network, step_config, HostDevice(5))

    def test_it_supports_what_it_is_tried_on(self):
        pytest.skip("asks a GPU how much shared memory it has")

    def test_it_says_what_the_table_needs(self):
        pytest.skip("asks a GPU for its architecture")


@pytest.mark.skipif(which("g++") is None, reason="running CUDA sources on the CPU takes g++")
class TestStagesEngine(EngineContract):
    networks = MappingProxyType(
        {name: (NETWORKS | BLOCKS)[name] for name in ("no biases", "plain", "max pools", "dropout", "residual")}
    )
    sizes = (5, 0, 1, 8)  # every thread is a fiber

    @classmethod
    def build(cls, network, step_config):
        return StagesEngine(network, step_config, BackendsHostDevice(order=5))
