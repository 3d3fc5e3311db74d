"""Where people have their networks from: the zoo, a file, or a function of a package of their own."""

import re
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from ops.errors import OpsError
from ops.layers import Shape
from ops.network import Network
from service.errors import InvalidInput
from service.networks.building import describe
from service.networks.description import Description
from service.networks.reading import LONGEST, check_length

FUNCTION = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*"


def network_from(source: str, examples: Callable[[], tuple[Shape, int]]) -> str | Description:
    """The network that a name of the zoo, `FILE.toml`, `package.module:function` or a text in TOML stands for.

    A file is read and a function is called here, once, and never again. A name is taken as it is.

    Args:
        source: what somebody wrote.
        examples: gives the shape of an example (c, h, w) and the number of classes, which a function takes.

    Raises:
        InvalidInput: the file or the function isn't there, or what it says can't be; in one line.
    """
    if any(sign in source for sign in "={\n"):
        return Description.parse(source)
    if source.endswith(".toml") or "/" in source:
        return _from_file(Path(source).expanduser())
    if re.fullmatch(FUNCTION, source):
        return _from_function(source, *examples())
    return source


def _from_file(path: Path) -> Description:
    try:
        with path.open("rb") as file:
            content = file.read(LONGEST + 1)
        check_length(max(len(content), path.stat().st_size))
        return Description.parse(content.decode())
    except OSError as error:
        raise InvalidInput(f"{path} can't be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise InvalidInput(f"{path} can't be read: it is not text in UTF-8") from None
    except InvalidInput as error:
        raise InvalidInput(f"{path}: {error}") from None


def _from_function(source: str, input_shape: Shape, classes: int) -> Description:
    network = _called(source, input_shape, classes)
    if not isinstance(network, Network):
        raise InvalidInput(f"{source} must return an ops.Network, got {type(network).__name__}")
    if network.input_shape != input_shape:
        raise InvalidInput(f"{source} must return a network for {input_shape}, got one for {network.input_shape}")
    try:
        return describe(network)
    except InvalidInput as error:
        raise InvalidInput(f"{source}: {error}") from None


def _called(source: str, input_shape: Shape, classes: int) -> Any:
    module, _, name = source.partition(":")
    if "" not in sys.path and str(Path.cwd()) not in sys.path:
        sys.path.append(str(Path.cwd()))  # as with `python -m`; an installed command doesn't look here
    try:
        function = getattr(import_module(module), name)
        return function(input_shape, classes)
    except OpsError as error:
        raise InvalidInput(f"{source}: {error}") from None
    except Exception as error:
        raise InvalidInput(f"{source} can't be called: {type(error).__name__}: {error}".splitlines()[0]) from None
