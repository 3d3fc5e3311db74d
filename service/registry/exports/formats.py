"""`atelier models export`: one file for another program."""

import zipfile
from collections.abc import Callable
from pathlib import Path
from types import MappingProxyType

from service.errors import InvalidInput
from service.files import replace_file
from service.registry import ModelVersion

EPOCH = (1980, 1, 1, 0, 0, 0)
"""A zip's first possible date: the same version always gives the same bytes."""


def _safetensors(model: ModelVersion, path: Path) -> None:
    path.write_bytes(model.read_file("weights.safetensors"))


def _onnx(model: ModelVersion, path: Path) -> None:
    if "model.onnx" in model.files:
        path.write_bytes(model.read_file("model.onnx"))
    else:
        from service.registry.exports.onnx import onnx_model  # ONNX takes long to import, and few need it

        path.write_bytes(onnx_model(model.build_network(), model.parameters()))


def _zip(model: ModelVersion, path: Path) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(model.files):
            entry = zipfile.ZipInfo(f"{model.name}-{model.version}/{name}", EPOCH)
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, model.read_file(name))


FORMATS: MappingProxyType[str, tuple[str, Callable[[ModelVersion, Path], None]]] = MappingProxyType(
    {
        "onnx": (".onnx", _onnx),
        "safetensors": (".safetensors", _safetensors),
        "torch": (".safetensors", _safetensors),
        "zip": (".zip", _zip),
    }
)
"""By name: the file's ending and what writes it. `torch` is safetensors: `load_state_dict(load_file(path))` takes it,
and nothing has to be unpickled."""


def export(model: ModelVersion, form: str, target: Path | None = None) -> Path:
    """Write a version in one of `FORMATS`, to `target` or else `<name>-<version><ending>` here; the path written.

    Raises InvalidInput for a form that isn't known or a network that it can't express.
    """
    if form not in FORMATS:
        raise InvalidInput(f"a model can be exported to {', '.join(FORMATS)}, got {form!r}")
    ending, write = FORMATS[form]
    path = target or Path(f"{model.name}-{model.version}{ending}")
    try:
        replace_file(path.absolute(), lambda draft: write(model, draft))
    except OSError as error:
        raise InvalidInput(f"can't write {path}: {error.strerror or error}") from None
    return path
