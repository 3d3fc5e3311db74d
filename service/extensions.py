"""Extensions by name: modules of ours, each of which is one, and what other packages announce as entry points."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from pkgutil import iter_modules
from typing import Any

from service.errors import InvalidInput


@dataclass(frozen=True)
class Extensions:
    """All extensions of a kind. No other package can replace one of ours.

    Attributes:
        kind: what one of them is called.
        package: whose modules are extensions, as far as they have `function`.
        function: what only such a module has.
        group: of the entry points.
    """

    kind: str
    package: str
    function: str
    group: str

    @cached_property
    def own(self) -> dict[str, Any]:
        """Our modules by their names: `post_local_sgd.py` is `post-local-sgd`."""
        names = [found.name for found in iter_modules(import_module(self.package).__path__) if found.name != "__main__"]
        modules = {name.replace("_", "-"): import_module(f"{self.package}.{name}") for name in names}
        return {name: module for name, module in modules.items() if hasattr(module, self.function)}

    def names(self) -> list[str]:
        """The names of all that can be found."""
        return sorted(self.own.keys() | {point.name for point in entry_points(group=self.group)})

    def find(self, name: str) -> Any:
        """Our module of that name, or what an entry point stands for; None where there is neither.

        Raises InvalidInput where it can't be imported.
        """
        if name in self.own:
            return self.own[name]
        points = entry_points(group=self.group, name=name)
        return self._load(next(iter(points))) if points else None

    def all(self) -> Iterator[tuple[str, Any]]:
        """Each with its name, ours first. Raises InvalidInput where one can't be imported."""
        yield from self.own.items()
        for point in entry_points(group=self.group):
            yield point.name, self._load(point)

    def _load(self, point: EntryPoint) -> Any:
        try:
            return point.load()
        except (ImportError, AttributeError) as error:
            raise InvalidInput(f"{self.kind} {point.name!r} can't be imported: {error}") from error
