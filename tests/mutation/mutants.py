"""The mutants of a module: its source with one small change each, by the operators of mutmut.

mutmut itself passes over decorated functions, and with them over every property and everything cached. So only its
operators are used, and `plugin.py` runs the tests.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import libcst as cst
from libcst.metadata import MetadataWrapper
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators
from mutmut.mutation.pragma_handling import IgnoredCode

LEFT_ALONE = re.compile(r"(,\s*|(?<=\())(strict=\w+|encoding=[\"'\w-]+)?\s*\)")
"""What makes `zip` strict, which guards against our own mistakes as assertions do, and the encoding of files, which is
the default where the tests run.
"""

SAME = ("astype(np.float64)", "astype(None)")
"""NumPy takes float64 where no type is named."""


@dataclass(frozen=True)
class Mutant:
    """A change to one function.

    Attributes:
        function: the name of the function or `Class.method` around the change.
        change: the lines that it takes away and those that it puts there, with `-` and `+` before them.
        source: of the whole module, changed.
    """

    function: str
    change: str
    source: str


class _Visitor(MutationVisitor):
    """Visits decorated functions too, and leaves assertions alone, which guard against our own mistakes."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        if isinstance(node, cst.Assert):
            return True
        if isinstance(node, cst.FunctionDef) and node.decorators:
            return False
        return bool(super()._skip_node_and_children(node))


def mutants_of(path: Path) -> list[Mutant]:
    """Every mutant of the functions in a module, in the order of its lines."""
    source = path.read_text()
    visitor = _Visitor(mutation_operators, IgnoredCode(set(), set(), set()))
    module = MetadataWrapper(cst.parse_module(source)).visit(visitor)
    names = _names(module)
    mutants: dict[str, Mutant] = {}
    for mutation in visitor.mutations:
        function = names.get(mutation.contained_by_top_level_function)
        if function is None:
            continue
        changed = module.deep_replace(mutation.original_node, mutation.mutated_node).code
        if _without_what_is_left_alone(changed) == _without_what_is_left_alone(source):
            continue
        mutants.setdefault(changed, Mutant(function, _difference(source, changed), changed))
    return list(mutants.values())


def _without_what_is_left_alone(source: str) -> str:
    return LEFT_ALONE.sub(")", source.replace(*SAME))


def _names(module: cst.Module) -> dict[cst.CSTNode | None, str]:
    names: dict[cst.CSTNode | None, str] = {}
    for statement in module.body:
        if isinstance(statement, cst.FunctionDef):
            names[statement] = statement.name.value
        elif isinstance(statement, cst.ClassDef):
            methods = [part for part in statement.body.body if isinstance(part, cst.FunctionDef)]
            names |= {method: f"{statement.name.value}.{method.name.value}" for method in methods}
    return names


def _difference(before: str, after: str) -> str:
    """The lines between those that both begin with and those that both end with."""
    old, new = before.splitlines(), after.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return "\n".join([f"- {line.strip()}" for line in old] + [f"+ {line.strip()}" for line in new])
