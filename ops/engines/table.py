"""The table of engines: a name and the class that it stands for.

Other packages add engines by an entry point of the group `atelier.engines`, as in their pyproject.toml:

    [project.entry-points."atelier.engines"]
    mine = "my_package.engine:MyEngine"

Such a class implements `ops.engines.base.Engine`, and `ops.testing.engines.EngineContract` tests it. Nothing is
imported before it is needed.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points

from ops.engines.base import Engine
from ops.errors import Unsupported

GROUP = "atelier.engines"

BUILT_IN = {
    "array": "ops.engines.array:ArrayEngine",
    "simd": "ops.engines.simd:SimdEngine",
    "cuda": "ops.engines.cuda:CudaEngine",
}


@cache
def _entries() -> dict[str, EntryPoint]:
    """All engines by name; no other package can replace a built-in one."""
    own = {name: EntryPoint(name, value, GROUP) for name, value in BUILT_IN.items()}
    return {entry.name: entry for entry in entry_points(group=GROUP)} | own


def names() -> list[str]:
    """The names of all engines."""
    return sorted(_entries())


def find(name: str) -> type[Engine]:
    """The engine of that name. Raises Unsupported where there is none, or it can't be imported."""
    entries = _entries()
    if name not in entries:
        raise Unsupported(f"engine must be one of {', '.join(names())}, got {name!r}")
    try:
        engine: type[Engine] = entries[name].load()
    except ImportError as error:
        raise Unsupported(f"engine {name!r} can't be imported: {error}") from error
    return engine


def fastest_first() -> tuple[list[type[Engine]], list[str]]:
    """All engines that can be imported, by `speed_rank`, and why the others can't be."""
    found, reasons = [], []
    for name in names():
        try:
            found.append(find(name))
        except Unsupported as error:
            reasons.append(str(error))
    return sorted(found, key=lambda engine: engine.speed_rank), reasons
