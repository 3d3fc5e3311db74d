"""A description from a text in TOML or JSON, checked as far as that goes without knowing the data."""

import json
import tomllib
from typing import Any

from ops.initializers import INITIALIZERS
from service.errors import InvalidInput
from service.files import canonical_json
from service.model_ref import is_name
from service.networks.layers import Reader, flat, short
from service.networks.writing import tidied

LONGEST = 256 << 10
"""Bytes of a description."""

MOST_LAYERS = 1000
"""Layers of a network, those in blocks included."""

KEYS = ("name", "initializer", "layers")

SOME_CLASSES = 720_720
"""What "classes" stands for while nobody knows: a number that any number of groups up to 16 divides."""


def parsed(text: str) -> Any:
    """The data in a text: JSON where it begins with a brace, else TOML. Raises InvalidInput, in one line."""
    check_length(len(text.encode(errors="replace")))
    kind = "JSON" if text.lstrip().startswith("{") else "TOML"
    try:
        return json.loads(text) if kind == "JSON" else tomllib.loads(text)
    except ValueError as error:
        raise InvalidInput(f"the description is not {kind} that can be read: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise InvalidInput("the description is nested too deeply") from None


def check_length(size: int) -> None:
    """Raise InvalidInput where a description has more bytes than any network needs."""
    if size > LONGEST:
        raise InvalidInput(f"a description must have at most {LONGEST:,} bytes, got {size:,}")


def canonical(data: Any) -> dict[str, Any]:
    """The data of a description as they are always written. Raises InvalidInput, in one line, for what can't be."""
    if not isinstance(data, dict):
        raise InvalidInput(f"a description takes {', '.join(KEYS)}; got {short(data)}")
    if unknown := [key for key in data if key not in KEYS]:
        raise InvalidInput(f"a description takes {', '.join(KEYS)}; got {', '.join(map(str, unknown))}")
    name, initializer, items = (data.get(key) for key in KEYS)
    if not isinstance(name, str) or not is_name(name):
        raise InvalidInput(f"name must be lower-case letters, digits, dots and dashes, at most 64, got {short(name)}")
    initializer = "xavier" if "initializer" not in data else initializer
    if not isinstance(initializer, str) or initializer not in INITIALIZERS:
        raise InvalidInput(f"initializer must be one of {', '.join(INITIALIZERS)}, got {short(initializer)}")
    if not isinstance(items, list) or not items:
        raise InvalidInput(f"layers must be a list with at least one layer, got {short(items)}")
    layers = Reader(SOME_CLASSES).chain(items, "layers")
    if (count := sum(1 for _ in flat(layers))) > MOST_LAYERS:
        raise InvalidInput(f"a network must have at most {MOST_LAYERS:,} layers, got {count:,}")
    tidy = {"name": name, "initializer": initializer, "layers": tidied(items, layers)}
    check_length(len(canonical_json(tidy).encode()))
    return tidy
