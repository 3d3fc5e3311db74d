"""What importing the library brings along, and what its modules import."""

import ast
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from pkgutil import walk_packages

import pytest

import ops

PACKAGE = Path(ops.__file__).parent
HEAVY = {
    "cupy",
    "cuda",
    "llvmlite",
    "matplotlib",
    "PIL",
    "IPython",
    "torch",
    "onnx",
    "zarr",
    "dask",
    "prefect",
}
KNOWN = {"numpy", "threadpoolctl"}
"""What modules of the library may import at any time."""

LAZY = {
    "cupy": ("arrays", "engines/array", "engines/cuda", "backends/cuda"),
    "cuda": ("backends/cuda",),
    "llvmlite": ("engines/simd", "backends/cpu"),
    "matplotlib": ("plots",),
    "PIL": ("plots",),
    "IPython": ("plots",),
    "pytest": ("testing/engines", "testing/comparison"),
}
"""What else is imported, and the only modules and folders that know it."""

ASKED_FOR = """
import sys
from importlib import import_module

class Recorder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {heavy}:
            asked.add(name.partition(".")[0])

asked = set()
sys.meta_path.insert(0, Recorder())
for name in {modules}:
    import_module(name)
print(*sorted(asked))
"""


def asked_for(*modules: str) -> set[str]:
    """Which of the heavy packages a new process looks for when it imports these modules, installed or not."""
    code = ASKED_FOR.format(heavy=HEAVY, modules=modules)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def modules() -> Iterator[str]:
    for module in walk_packages(ops.__path__, "ops."):
        if not module.name.startswith("ops.testing"):  # it needs pytest
            yield module.name


def imported(source: str) -> set[str]:
    """The top-level packages that a source imports anywhere, also inside functions and for types only."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            found.add(str(node.module).partition(".")[0])
    return found


def test_importing_the_library_asks_for_neither_a_gpu_nor_a_compiler_nor_a_plotting_library():
    light = [name for name in modules() if not name.startswith(("ops.engines.simd", "ops.backends.cpu"))]
    assert {"ops.engines.cuda.engine", "ops.engines.array", "ops.plots", "ops.backends.cuda.stages"} <= set(light)
    assert asked_for(*light) == set()


def test_the_cpus_engine_asks_for_llvm_alone():
    assert asked_for("ops.engines.simd", "ops.engines.simd.program.single_kernels") == {"llvmlite"}


def test_an_import_inside_a_function_is_seen():
    source = "def f():\n    from service.data import read\n    import numpy.linalg\n"
    assert imported(source) == {"service", "numpy"}


@pytest.mark.parametrize("path", sorted(PACKAGE.rglob("*.py")), ids=lambda path: str(path.relative_to(PACKAGE)))
def test_a_module_imports_nothing_from_above_and_third_parties_only_in_their_place(path: Path):
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    own_place = {package for package, places in LAZY.items() if any(name.startswith(place) for place in places)}
    assert imported(path.read_text()) <= {"ops"} | KNOWN | own_place | set(sys.stdlib_module_names)


def test_every_public_name_is_there():
    assert sorted(ops.__all__) == sorted(set(ops.__all__))
    for name in ops.__all__:
        assert getattr(ops, name) is not None


@pytest.mark.parametrize("name", ["ops", "service", "flows"])
def test_no_other_distribution_has_packages_of_our_names(name: str):
    """All three names are taken on the package index by others."""
    assert set(_distributions().get(name, ())) <= {"atelier-train"}


@cache
def _distributions() -> Mapping[str, list[str]]:
    return packages_distributions()


def test_the_package_is_ours():
    assert Path(ops.__file__).resolve() == Path(__file__).resolve().parents[2] / "ops" / "__init__.py"
