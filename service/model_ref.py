"""How people name a model: `name`, `name:version` or `name:alias`."""

import re
from typing import NamedTuple

from service.errors import InvalidInput

NAME = r"^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"
"""What a model, a run or a data set may be called."""

CHAMPION = "champion"
"""The alias that a name alone means."""

MAX_LENGTH = 130
"""Characters of a name and a version or alias of 64 each, with what lies between them."""


def is_name(text: str) -> bool:
    """Whether a model, a run or a data set may be called so."""
    return re.fullmatch(NAME.strip("^$"), text) is not None  # `$` alone would let a line end through


class ModelRef(NamedTuple):
    """A model, and a version of it by number or alias. Whether there is one, the registry says.

    Attributes:
        name: The model's name.
        version: A number, or an alias.
    """

    name: str
    version: str = CHAMPION

    @classmethod
    def parse(cls, text: str) -> "ModelRef":
        """The model that `name`, `name:version` or `name:alias` means; a name alone means its champion.

        Raises InvalidInput for what can't name a model: empty, too long, or with more than one colon.
        """
        name, _, version = text.partition(":")
        if not name or ":" in version or len(text) > MAX_LENGTH:
            raise InvalidInput(f"a model is named as name, name:version or name:alias, got {text[:MAX_LENGTH]!r}")
        return cls(name, version or CHAMPION)

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"
