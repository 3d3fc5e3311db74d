"""Where things lie: in a folder, or at an address in object storage. Both are values that travel with tasks."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.errors import InvalidInput

ADDRESS = re.compile(r"s3://([a-z0-9][a-z0-9.-]+)/*((?:/[\w.-]*\w)*)/*", re.ASCII)

ENDPOINTS = ("AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_METADATA_ENDPOINT", "endpoint_url")
"""What the library that speaks S3 takes the address of a storage from; the last is a setting of a profile."""

ENDPOINT = re.compile(r"https?://[\w.:\[\]-]+(/\S*)?")


@dataclass(frozen=True)
class Address:
    """A place in object storage that speaks S3. Like a path it has a name, and other places lie below it.

    Attributes:
        bucket: the bucket.
        prefix: what the keys of all objects below it begin with, without slashes around it; may be empty.
    """

    bucket: str
    prefix: str = ""

    @property
    def name(self) -> str:
        """The last part."""
        return self.prefix.rpartition("/")[2] or self.bucket

    def __truediv__(self, name: str) -> "Address":
        return Address(self.bucket, f"{self.prefix}/{name}" if self.prefix else name)

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")


Place = Path | Address


def place_of(text: str, what: str = "data") -> Place:
    """The place that a text names: `s3://bucket`, `s3://bucket/prefix`, or a folder.

    Args:
        text: names it.
        what: lies there, for the message.

    Raises:
        InvalidInput: it is an address of another kind.
    """
    if "://" not in text:
        return Path(text).expanduser().absolute()
    found = ADDRESS.fullmatch(text)
    if found is None:
        raise InvalidInput(f"{what} lie in a folder or at s3://bucket/prefix, got {text!r}")
    return Address(found[1], found[2].strip("/"))


def wrong_endpoint(settings: Mapping[str, str]) -> str:
    """What is wrong with the endpoints that settings name; empty for nothing.

    The library that takes them doesn't survive one without a scheme.
    """
    for name in ENDPOINTS:
        value = settings.get(name, "")
        if value and not ENDPOINT.fullmatch(value):
            return f"{name} must be an address such as http://localhost:9000, got {value!r}"
    return ""
