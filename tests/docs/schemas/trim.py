"""Makes the schemas beside it from those that Kubernetes and Dask's operator publish; README.md says where they are.

python tests/docs/schemas/trim.py DEFINITIONS.json daskcluster.yaml
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KINDS = (
    *("apps.v1.Deployment", "apps.v1.StatefulSet", "batch.v1.Job", "core.v1.ConfigMap", "core.v1.Namespace"),
    *("core.v1.PersistentVolumeClaim", "core.v1.Service", "networking.v1.NetworkPolicy"),
)


def without_prose(schema: Any) -> Any:
    """A schema without descriptions; a property of that name stays."""
    if isinstance(schema, dict):
        return {
            key: {name: without_prose(one) for name, one in value.items()}
            if key == "properties"
            else without_prose(value)
            for key, value in schema.items()
            if key != "description"
        }
    return [without_prose(one) for one in schema] if isinstance(schema, list) else schema


def references(schema: Any) -> Iterator[str]:
    """The names of the definitions that a schema refers to."""
    if isinstance(schema, dict):
        for key, value in schema.items():
            if key == "$ref":
                yield value.rpartition("/")[2]
            else:
                yield from references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from references(value)


def needed(definitions: dict[str, Any]) -> dict[str, Any]:
    """The definitions of the kinds, and those that they refer to."""
    found: dict[str, Any] = {}
    names = [f"io.k8s.api.{kind}" for kind in KINDS]
    while names:
        name = names.pop()
        if name not in found:
            found[name] = without_prose(definitions[name])
            names += references(found[name])
    return found


def main(definitions: Path, custom_resource: Path) -> None:
    """Write both files."""
    published = json.loads(definitions.read_text())
    _write("kubernetes.json", needed(published["$defs"]))
    (version,) = yaml.safe_load(custom_resource.read_text())["spec"]["versions"]
    _write("daskcluster.json", without_prose(version["schema"]["openAPIV3Schema"]))


def _write(name: str, content: dict[str, Any]) -> None:
    text = json.dumps(content, separators=(",", ":"), sort_keys=True)
    Path(__file__).with_name(name).write_text(text + "\n")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
