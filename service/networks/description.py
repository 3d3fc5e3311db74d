"""The description of a network: its name, its initializer and its layers, as one value that travels.

    {"name": "small", "initializer": "he", "layers": [{"conv2d": {"channels": 8, "kernel_size": 3}}, "relu", …]}

Layers and fields are named as in `ops.layers`, in lower case; "classes" stands for the data set's number of classes.
"""

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from service.files import canonical_json


@dataclass(frozen=True)
class Description:
    """A description that was checked; two that mean the same are equal.

    Attributes:
        text: its canonical JSON.
    """

    text: str

    @classmethod
    def of(cls, data: Any) -> "Description":
        """The description that plain data, such as parsed JSON or TOML, make.

        Raises InvalidInput, in one line with the place and what was expected there.
        """
        from service.networks.reading import canonical  # here and below: it needs the layers, which take long to import

        return cls(canonical_json(canonical(data)))

    @classmethod
    def parse(cls, text: str) -> "Description":
        """The description that a text in TOML or JSON holds. Raises InvalidInput, in one line."""
        from service.networks.reading import parsed

        return cls.of(parsed(text))

    @property
    def data(self) -> dict[str, Any]:
        """What it says, as plain data that JSON can hold."""
        data: dict[str, Any] = json.loads(self.text)
        return data

    @property
    def name(self) -> str:
        """What the network is called."""
        return str(self.data["name"])

    @property
    def digest(self) -> str:
        """Its SHA-256."""
        return sha256(self.text.encode()).hexdigest()

    def __str__(self) -> str:
        return self.name
