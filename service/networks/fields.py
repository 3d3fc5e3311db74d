"""A layer's fields as a description writes them: what each takes, and how to tell what is wrong with a value."""

from collections.abc import Sequence
from dataclasses import MISSING, Field, fields
from functools import cache
from math import isfinite
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from ops.layers import Layer

CLASSES = "classes"
"""Stands for the data set's number of classes wherever a layer takes one whole number."""

Chain = tuple[Layer, ...]
Chains = tuple[Chain, ...]

WORDS: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    Chain: "a list of layers",
    Chains: "a list of lists of layers",
    NoneType: "",
}
"""What a field of a type takes, in words."""


def fields_of(kind: type[Layer]) -> dict[str, Field[Any]]:
    """The fields that a layer is made with, by name."""
    return {field.name: field for field in fields(kind) if field.init}  # type: ignore[arg-type]  # all are dataclasses


def required(kind: type[Layer]) -> list[str]:
    """The fields without which there is no such layer."""
    return [
        name for name, field in fields_of(kind).items() if field.default is MISSING and field.default_factory is MISSING
    ]


@cache
def hints_of(kind: type[Layer]) -> dict[str, Any]:
    """The type of each field."""
    return get_type_hints(kind)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value that JSON or TOML can hold is one of a field's type. Layers are not looked into."""
    if hint in (Chain, Chains):
        return isinstance(value, list) and (hint == Chain or all(isinstance(chain, list) for chain in value))
    if get_origin(hint) in (Union, UnionType):
        return any(fits(value, inner) for inner in get_args(hint))
    if get_origin(hint) in (Sequence, tuple, list):
        inner = get_args(hint)[0]
        return isinstance(value, list) and all(fits(item, inner) for item in value)
    if hint is NoneType:
        return value is None
    if hint is float:
        return type(value) in (int, float) and isfinite(value)
    if hint is int:
        return type(value) is int or value == CLASSES
    return type(value) is hint if hint in (bool, str) else True  # the layer itself looks at any other type


def in_words(hint: Any) -> str:
    """What a field of that type takes."""
    if hint in WORDS:
        return WORDS[hint]
    if get_origin(hint) in (Union, UnionType):
        return " or ".join(filter(None, (in_words(inner) for inner in get_args(hint))))
    if get_origin(hint) in (Sequence, tuple, list):
        return f"a list of {in_words(get_args(hint)[0]).removeprefix('a ')}s"
    return getattr(hint, "__name__", str(hint))
