"""The contract of engines, on a GPU."""

from types import MappingProxyType

import pytest

import tests.gpu.needs_gpu  # noqa: F401 -- skips this module without a GPU
from ops.backends.cuda import cudnn
from ops.engines.array import ArrayEngine
from ops.engines.cuda import CudaEngine
from ops.engines.stages import StagesEngine
from ops.testing.cases import NETWORKS
from ops.testing.engines import EngineContract

pytestmark = pytest.mark.gpu


class TestCudaEngine(EngineContract):
    networks = MappingProxyType({name: network for name, network in NETWORKS.items() if name != "resized"})

    @classmethod
    def build(cls, network, step_config):
        return CudaEngine(network, step_config)


class TestArrayEngine(EngineContract):
    @classmethod
    def build(cls, network, step_config):
        return ArrayEngine(network, step_config, device="cuda")


@pytest.mark.skipif(bool(cudnn.missing()), reason=cudnn.missing())
class TestStagesEngine(EngineContract):
    @classmethod
    def build(cls, network, step_config):
        return StagesEngine(network, step_config)
