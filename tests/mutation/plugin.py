"""A pytest plugin that runs tests against the mutants of a module, each in a forked copy of this process.

All tests run once as they are, and which functions of the module each one calls is written down. Then, for each
mutant, a fork puts the changed function in the place of the real one and runs the tests that call it, the quickest
first, up to the first that fails.
"""

import ast
import functools
import gc
import json
import os
import random
import resource
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from time import monotonic, process_time
from types import FunctionType, ModuleType
from typing import Any

import pytest
from _pytest.runner import runtestprotocol
from hypothesis import Phase, settings

from tests.mutation.mutants import Mutant, mutants_of

SURVIVED, KILLED = 0, 1
CHILDREN = 2
"""Forks at a time."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("mutation")
    group.addoption("--mutate", type=Path, help="the module, as a path from here")
    group.addoption("--mutation-report", type=Path, help="where to write what became of the mutants")
    group.addoption("--mutation-seconds", type=float, default=float("inf"), help="begin no mutant after so many")
    group.addoption("--mutation-sample", type=int, help="try so many mutants, drawn at random with a fixed seed")


@pytest.hookimpl(trylast=True)
def pytest_configure(config: pytest.Config) -> None:
    if config.option.mutate:
        # A failing example need not be made small here.
        settings.register_profile("mutation", settings.default, phases=[Phase.explicit, Phase.generate])
        settings.load_profile("mutation")
        config.pluginmanager.register(MutationRun(config), "mutation-run")


class MutationRun:
    """The run of one module's mutants."""

    def __init__(self, config: pytest.Config) -> None:
        self._path: Path = config.option.mutate.resolve()
        self._report: Path = config.option.mutation_report
        self._seconds: float = config.option.mutation_seconds
        self._sample: int | None = config.option.mutation_sample
        self._by_fixture: dict[Any, set[str]] = {}
        self._calls: set[str] = set()

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: Any) -> Iterator[None]:
        """Write down what a fixture calls, for every test that uses it."""
        around, self._calls = self._calls, self._by_fixture.setdefault(fixturedef, set())
        try:
            return (yield)
        finally:
            around |= self._calls
            self._calls = around

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Run the tests once as they are, then some of them against each mutant."""
        if session.testsfailed:
            raise session.Interrupted("the tests can't be collected")
        began = monotonic()
        calls, seconds = self._run_unchanged(session)
        mutants = mutants_of(self._path)
        total = len(mutants)
        random.Random(0).shuffle(mutants)
        mutants = mutants[: self._sample]
        items = sorted(seconds, key=lambda item: seconds[item])
        survivors: list[Mutant] = []
        children: dict[int, Mutant] = {}
        tried = 0
        gc.freeze()
        for mutant in mutants:
            if monotonic() - began > self._seconds:
                break
            tried += 1
            selected = [item for item in items if mutant.function in calls[item]]
            if not selected:
                survivors.append(mutant)
                continue
            if len(children) == CHILDREN:
                self._wait(children, survivors)
            limit = 3 + 5 * sum(seconds[item] for item in selected)
            children[self._fork(mutant, selected, limit)] = mutant
        while children:
            self._wait(children, survivors)
        facts = [{"function": mutant.function, "change": mutant.change} for mutant in survivors]
        self._report.write_text(json.dumps({"mutants": total, "tried": tried, "survivors": facts}))
        return True

    def _run_unchanged(self, session: pytest.Session) -> tuple[dict[pytest.Item, set[str]], dict[pytest.Item, float]]:
        """Which functions of the module each test calls, and how much processor time it takes."""
        calls: dict[pytest.Item, set[str]] = {}
        seconds: dict[pytest.Item, float] = {}
        module = _module(self._path)
        self._caches = _caches(module)
        vars(module)["__note_call__"] = lambda name: self._calls.add(name)
        noting = _noting_calls(self._path.read_text())
        for function in [function.__qualname__ for function in _functions(vars(module), self._path)]:
            _replace_code(module, function, noting)
        for item, following in zip(session.items, [*session.items[1:], None], strict=True):
            self._calls = calls[item] = set()
            self._clear_caches()  # what is answered from a cache isn't called
            began = process_time()
            reports = runtestprotocol(item, nextitem=following, log=False)
            if any(report.failed for report in reports):
                text = "\n".join(str(report.longrepr) for report in reports if report.failed)
                raise session.Failed(f"{item.nodeid} fails without any mutant:\n{text}")
            if any(report.when == "call" for report in reports):
                seconds[item] = process_time() - began
        for item in seconds:
            for fixtures in item._fixtureinfo.name2fixturedefs.values():  # type: ignore[attr-defined]  # of functions
                for fixture in fixtures:
                    calls[item] |= self._by_fixture.get(fixture, set())
        return calls, seconds

    def _fork(self, mutant: Mutant, items: list[pytest.Item], seconds: float) -> int:
        child = os.fork()
        if child:
            return child
        status = KILLED
        try:
            silence = os.open(os.devnull, os.O_RDWR)
            for stream in (0, 1, 2):
                os.dup2(silence, stream)
            resource.setrlimit(resource.RLIMIT_CPU, (int(seconds) + 1, int(seconds) + 2))
            _replace_code(_module(self._path), mutant.function, mutant.source)
            self._clear_caches()
            for item, following in zip(items, [*items[1:], None], strict=True):
                if any(report.failed for report in runtestprotocol(item, nextitem=following, log=False)):
                    break
            else:
                status = SURVIVED
        finally:
            os._exit(status)

    def _clear_caches(self) -> None:
        for cached in self._caches:
            cached.cache_clear()

    @staticmethod
    def _wait(children: dict[int, Mutant], survivors: list[Mutant]) -> None:
        child, status = os.wait()
        mutant = children.pop(child)
        if status == SURVIVED:
            survivors.append(mutant)


def _module(path: Path) -> ModuleType:
    [module] = [each for each in list(sys.modules.values()) if getattr(each, "__file__", None) == str(path)]
    return module


def _replace_code(module: ModuleType, function: str, source: str | ast.Module) -> None:
    """Give a function of a loaded module the code that it has in another source."""
    path = Path(str(module.__file__))
    changed = {"__name__": module.__name__, "__package__": module.__package__, "__file__": str(path)}
    exec(compile(source, str(path), "exec"), changed)
    theirs = {each.__qualname__: each for each in _functions(changed, path)}
    for ours in _functions(vars(module), path):
        if ours.__qualname__ == function:
            other = theirs[function]
            ours.__code__, ours.__defaults__, ours.__kwdefaults__ = (
                other.__code__, other.__defaults__, other.__kwdefaults__,
            )  # fmt: skip


def _noting_calls(source: str) -> ast.Module:
    """A module each of whose functions says first that it was called."""
    tree = ast.parse(source)
    for statement in tree.body:
        inner = statement.body if isinstance(statement, ast.ClassDef) else [statement]
        for function in inner:
            if isinstance(function, ast.FunctionDef):
                name = f"{statement.name}.{function.name}" if isinstance(statement, ast.ClassDef) else function.name
                function.body[:0] = ast.parse(f"__note_call__({name!r})").body
    return ast.fix_missing_locations(tree)


def _functions(names: Mapping[str, Any], path: Path) -> Iterator[FunctionType]:
    """The functions and methods that a module defines, out of whatever wraps them."""
    for value in list(names.values()):
        if isinstance(value, type):
            if value.__module__ == names.get("__name__"):
                yield from _functions(vars(value), path)
            continue
        for wrapper in ("fget", "func", "__func__", "__wrapped__"):
            value = getattr(value, wrapper, None) or value
        if isinstance(value, FunctionType) and value.__code__.co_filename == str(path):
            yield value


def _caches(module: ModuleType) -> list[Any]:
    """The caches of functions of the module and of ours."""
    ours = ("ops", "service", module.__name__.split(".")[0])
    found = [each for each in gc.get_objects() if isinstance(each, functools._lru_cache_wrapper)]
    return [each for each in found if each.__module__.split(".")[0] in ours]
