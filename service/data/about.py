"""What a store says of its data beside the images: where they come from, and how they became examples."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class About:
    """The story of a data set. Stores of before have none, and every field has a value that says so.

    Attributes:
        format: The format of the source, as people call it.
        source: The name of the file or folder.
        options: How it was read, by `IngestOptions`.
        preparation: How pictures became examples (`Preparation.to_manifest`); empty where they were pixels already.
        split: How the test split was drawn: `share` and `seed`; empty where the source has one.
        skipped: Pictures that couldn't be read and were left out.
        duplicates: Test images that are training images too; None where nobody counted them.
        card: The README that lay in the source.
        licence: The licence that lay there.
    """

    format: str = ""
    source: str = ""
    options: Mapping[str, Any] | None = None
    preparation: Mapping[str, Any] | None = None
    split: Mapping[str, Any] | None = None
    skipped: int = 0
    duplicates: int | None = None
    card: str = ""
    licence: str = ""

    @classmethod
    def from_attributes(cls, recorded: Mapping[str, Any]) -> Self:
        """What a store's attributes record."""
        return cls(**{name: recorded[name] for name in cls.__dataclass_fields__ if name in recorded})

    def to_attributes(self) -> dict[str, Any]:
        """The same as plain data."""
        return asdict(self)
