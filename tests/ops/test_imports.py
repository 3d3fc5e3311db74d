"""What importing the library brings along."""

import subprocess
import sys
from pathlib import Path

import ops


def test_importing_the_operators_brings_in_neither_a_gpu_nor_a_compiler_nor_a_plotting_library():
    unwanted = {"cupy", "numba", "llvmlite", "matplotlib", "PIL", "torch", "onnx", "zarr", "dask", "prefect"}
    modules = "ops, ops.engines, ops.engines.array, ops.reference, ops.training, ops.plots, ops.summary, ops.schedule"
    code = f"import sys, {modules}; print(sorted({unwanted!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_public_name_is_there():
    assert sorted(ops.__all__) == sorted(set(ops.__all__))
    for name in ops.__all__:
        assert getattr(ops, name) is not None


def test_the_package_is_ours():
    assert Path(ops.__file__).resolve() == Path(__file__).resolve().parents[2] / "ops" / "__init__.py"
