"""A program is found in the cache only if everything that it was generated from is the same."""

import shutil
import sys
from dataclasses import dataclass
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

import pytest

import ops
from ops.engines.object_cache import ObjectCache
from ops.engines.simd import cache_key as module
from ops.engines.simd.cache_key import PACKAGE, cache_key, package_digest
from ops.engines.simd.machine_code import machine_code
from ops.network import Network
from ops.step_config import StepConfig

NETWORK = Network("tiny", (1, 4, 4), (ops.Flatten(), ops.Dense(3)))
GENERATED_FROM = sorted(
    path.relative_to(PACKAGE).as_posix()
    for pattern in ("engines/simd/**/*.py", "layers/*.py", "geometry.py", "network.py", "step_config.py")
    for path in PACKAGE.glob(pattern)
)
LAYER = """
from dataclasses import dataclass
from ops.engines.simd.kernels import register
from ops.engines.simd.kernels.activation import ActivationKernels
from ops.layers import ReLU

@dataclass(frozen=True)
class Rectifier(ReLU):
    pass

@register(Rectifier)
class RectifierKernels(ActivationKernels):
    def value(self, code, x):
        return code.select(x.compare(">", code.constant(0)), x, code.constant(0))

    def slope(self, code, dy, y):
        return code.select(y.compare(">", code.constant(0)), dy, code.constant(0))
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the package's sources."""
    folder = tmp_path_factory.mktemp("package") / "ops"
    shutil.copytree(PACKAGE, folder, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


def test_the_package_is_the_one_that_runs():
    assert Path(ops.__file__).parent == PACKAGE
    assert len(GENERATED_FROM) > 40


@pytest.mark.parametrize("name", GENERATED_FROM)
def test_a_changed_byte_in_any_source_changes_the_key(copy, name):
    package_digest.cache_clear()
    before = package_digest(copy)
    assert before == package_digest(PACKAGE)
    source = (copy / name).read_bytes()
    try:
        (copy / name).write_bytes(source[:-1] + b" ")
        package_digest.cache_clear()
        assert package_digest(copy) != before
    finally:
        (copy / name).write_bytes(source)
        package_digest.cache_clear()


def test_the_digest_of_the_sources_is_in_the_key(monkeypatch):
    before = cache_key(NETWORK, StepConfig())
    assert cache_key(NETWORK, StepConfig()) == before
    monkeypatch.setattr(module, "package_digest", lambda package: "another")
    assert cache_key(NETWORK, StepConfig()) != before


def test_a_renamed_source_is_another_package(copy):
    package_digest.cache_clear()
    before = package_digest(copy)
    (copy / "geometry.py").rename(copy / "geometries.py")
    package_digest.cache_clear()
    assert package_digest(copy) != before
    (copy / "geometries.py").rename(copy / "geometry.py")


@pytest.mark.parametrize(
    ("network", "step_config"),
    [
        (NETWORK, StepConfig(momentum=0.5)),
        (Network("tiny", (1, 4, 4), (ops.Flatten(), ops.Dense(3, bias=False))), StepConfig()),
    ],
)
def test_another_network_or_step_configuration_is_another_key(network, step_config):
    assert cache_key(network, step_config) != cache_key(NETWORK, StepConfig())


def load(path, source):
    path.write_text(source)
    spec = spec_from_file_location("layer_of_another_package", path)
    sys.modules[spec.name] = loaded = module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return Network("other", (1, 4, 4), (ops.Flatten(), ops.Dense(3), loaded.Rectifier()))


def test_sources_of_layers_and_kernels_from_other_packages_belong_to_the_key(tmp_path):
    first = cache_key(load(tmp_path / "layer.py", LAYER), StepConfig())
    again = cache_key(load(tmp_path / "layer.py", LAYER), StepConfig())
    changed = cache_key(load(tmp_path / "layer.py", LAYER.replace("dy, code.constant(0))", "dy, dy)")), StepConfig())
    assert first == again
    assert first != changed


def test_a_layer_without_a_source_file_is_not_cached(tmp_path):
    @dataclass(frozen=True)
    class Typed(ops.Tanh):
        pass

    Typed.__module__ = "typed_by_hand"
    network = Network("typed", (1, 4, 4), (ops.Flatten(), ops.Dense(3), Typed()))
    assert cache_key(network, StepConfig()) is None


def test_the_cache_is_asked_with_the_key(tmp_path):
    cache = ObjectCache(tmp_path)
    machine_code(NETWORK, StepConfig(), cache)
    assert [path.stem for path in tmp_path.iterdir()] == [cache_key(NETWORK, StepConfig())]
