"""Import this first in a module of this folder: where there is no GPU or no CuPy the whole module is skipped."""

import pytest

cupy = pytest.importorskip("cupy", reason="CuPy is not installed")
if not cupy.is_available():
    pytest.skip("no GPU can be used here", allow_module_level=True)
