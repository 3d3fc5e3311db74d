"""One published version, as its manifest describes it, and its files, checked as they are read."""

import json
from dataclasses import dataclass, field, fields
from hashlib import sha256
from typing import Any

import safetensors
from safetensors.numpy import load

from ops import zoo
from ops.engines.base import Floats
from ops.network import Network
from service.errors import DataError, NotFound
from service.networks import Description
from service.networks.building import build
from service.registry.exports.weights import from_tensors
from service.storage import Storage


@dataclass(frozen=True)
class ModelVersion:
    """A published version: immutable, so everything here may be kept.

    Attributes:
        name: The model's name.
        version: The version's number, from 1.
        created: When it was published (ISO 8601, UTC).
        dataset: What it was trained on.
        class_names: Of its classes, in order.
        network: How to build it (name, input shape, classes, resize, description and its digest; the last two are
            missing in versions of before, which hold a network of the zoo).
        metrics: The few figures that lists show.
        lineage: Run, data, digest of the parameters, versions of the code.
        tags: Words to find it by.
        files: SHA-256 and size in bytes of each file.
        storage: Where the files lie.
        preparation: How pictures became its training images; empty in versions of before.
        statistics: Ranges of figures of its training images; empty in versions of before.
        warnings: What people should know before they use it, one line each.
    """

    name: str
    version: int
    created: str
    dataset: str
    class_names: tuple[str, ...]
    network: dict[str, Any]
    metrics: dict[str, float]
    lineage: dict[str, Any]
    tags: tuple[str, ...]
    files: dict[str, dict[str, Any]]
    storage: Storage = field(repr=False, compare=False)
    preparation: dict[str, Any] = field(default_factory=dict)
    statistics: dict[str, Any] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_manifest(cls, manifest: dict[str, Any], storage: Storage) -> "ModelVersion":
        """The version that a manifest describes; what a later registry added to it is left out.

        Raises KeyError, TypeError or ValueError where something is missing or of another kind.
        """
        known = {each.name for each in fields(cls)} & set(manifest)
        values = {name: manifest[name] for name in known}
        values |= {name: tuple(manifest[name]) for name in ("class_names", "tags", "warnings") if name in known}
        float(manifest["metrics"]["test_accuracy"])  # what lists of all versions rest on
        tuple(manifest["network"]["input_shape"])
        manifest["lineage"].get("data")
        return cls(**values, storage=storage)

    @property
    def label(self) -> str:
        """What people call it: `lenet:3`."""
        return f"{self.name}:{self.version}"

    @property
    def data(self) -> str:
        """The digest of what it was trained and measured on; versions that don't state it have the name's."""
        return str(self.lineage.get("data", self.dataset))

    @property
    def place(self) -> str:
        """Where its files lie: a folder, or an address of object storage."""
        return f"{self.storage.root}/{self.name}/{self.version}"

    def build_network(self) -> Network:
        """The network that the parameters belong to."""
        facts, shape = self.network, tuple(self.network["input_shape"])
        if "description" in facts:
            return build(Description.of(facts["description"]), shape, facts["classes"])
        return zoo.network(facts["name"], shape, facts["classes"], resize=facts["resize"])

    def parameters(self) -> Floats:
        """The parameters as one vector (size,) float32. Raises DataError where the file is not the published one."""
        try:
            tensors = load(self.read_file("weights.safetensors"))
        except safetensors.SafetensorError as error:
            raise DataError(f"{self.place}/weights.safetensors can't be read: {error}") from None
        return from_tensors(self.build_network(), tensors)

    def read_json(self, name: str) -> Any:
        """The content of one of its JSON files: `config`, `metrics` or `history`."""
        return json.loads(self.read_file(f"{name}.json"))

    def read_file(self, name: str) -> bytes:
        """A file's bytes. Raises NotFound for one that isn't the version's, DataError for one that was altered."""
        digest = self.digest(name)
        try:
            content = self.storage.read(f"{self.name}/{self.version}/{name}").content
        except NotFound:
            raise DataError(f"{self.place}/{name} is missing, though the manifest lists it") from None
        if sha256(content).hexdigest() != digest:
            raise DataError(f"{self.place}/{name} is damaged: its SHA-256 is not the one in the manifest")
        return content

    def digest(self, name: str) -> str:
        """The SHA-256 that the manifest states for a file. Raises NotFound for one that isn't the version's."""
        if name not in self.files:
            raise NotFound(f"{self.label} has no file {name!r} (files: {', '.join(self.files)})")
        digest: str = self.files[name]["sha256"]
        return digest
