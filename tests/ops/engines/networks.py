"""Networks for engines that compile a program for each, which takes seconds: every run tries some of them."""

from collections.abc import Iterable
from typing import Any

import pytest

ALWAYS = {
    *("dense", "plain", "padded", "grouped", "max pools", "hanging average pools", "dropout", "resized"),
    *("group norms", "one example a block"),
}
"""Between them they have every layer, and most of the options. The others are slow tests, which CI runs too."""


def seldom(names: Iterable[str]) -> frozenset[str]:
    """Those of some networks that only slow tests try."""
    return frozenset(names) - ALWAYS


def tried(names: Iterable[str], *more: Any) -> list[Any]:
    """Arguments of a test by the name of a network, those of slow tests marked. more: what follows the name."""
    rest = seldom(names := list(names))
    return [pytest.param(name, *more, marks=[pytest.mark.slow] if name in rest else []) for name in names]
