"""Command-line options made from a configuration model, so that both always say the same."""

from collections.abc import Callable, Iterator
from typing import Any, Literal, TypeVar, get_args, get_origin

import click
from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic.fields import FieldInfo

from service.config import explain
from service.errors import InvalidInput

Command = TypeVar("Command", bound=Callable[..., Any])
Model = TypeVar("Model", bound=BaseModel)


def options_of(model: type[BaseModel], *, presets: bool = False) -> Callable[[Command], Command]:
    """A decorator that adds one option for each field of a model, nested ones flat: `optimizer.lr` is `--lr`.

    An option that is left out arrives as None. presets: the help text says that defaults depend on the network.
    """

    def decorate(command: Command) -> Command:
        for path, field in reversed(list(_leaves(model))):
            command = _option(path, field, presets=presets)(command)
        return command

    return decorate


def nested_options(model: type[BaseModel], values: dict[str, Any]) -> dict[str, Any]:
    """The options that stood on the command line, nested as the model is."""
    nested: dict[str, Any] = {}
    for path, _ in _leaves(model):
        if values.get(path[-1]) is not None:
            inner = nested
            for name in path[:-1]:
                inner = inner.setdefault(name, {})
            inner[path[-1]] = values[path[-1]]
    return nested


def validated(model: type[Model], values: dict[str, Any]) -> Model:
    """The model with the options that stood on the command line. Raises InvalidInput, in one line."""
    try:
        return model.model_validate(nested_options(model, values))
    except ValidationError as error:
        raise in_options(explain(error)) from None


def checked_id(kind: Any, name: str) -> str:
    """The name, if it is one of that kind, an annotated `str`. Raises InvalidInput, in one line."""
    try:
        return str(TypeAdapter(kind).validate_python(name))
    except ValidationError:
        raise InvalidInput(f"--id must be lower-case letters, digits and dashes, and short, got {name!r}") from None


def in_options(error: InvalidInput) -> InvalidInput:
    """The same message, naming the option instead of the field: `--batch-size`, not `batch_size`."""
    where, _, rest = str(error).partition(" ")
    return InvalidInput(f"--{where.rpartition('.')[2].replace('_', '-')} {rest}")


def field_names(model: type[BaseModel]) -> dict[str, str]:
    """The path of each field of a model, nested ones dotted, by the field's own name."""
    return {path[-1]: ".".join(path) for path, _ in _leaves(model)}


def _leaves(model: type[BaseModel], above: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], FieldInfo]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from _leaves(field.annotation, (*above, name))
        else:
            yield (*above, name), field


def _option(path: tuple[str, ...], field: FieldInfo, *, presets: bool) -> Callable[[Command], Command]:
    flag = path[-1].replace("_", "-")
    default = f"[default: {field.default}{', or the preset of the network' if presets else ''}]"
    text = f"{field.description} {default}" if field.default != "" else field.description
    if field.annotation is bool:
        return click.option(f"--{flag}/--no-{flag}", path[-1], default=None, help=text)
    return click.option(f"--{flag}", path[-1], default=None, type=_type(field.annotation), help=text)


def _type(annotation: Any) -> Any:
    if get_origin(annotation) is Literal:
        return click.Choice(get_args(annotation))
    return annotation if isinstance(annotation, type) else str  # of a union, the command line has the text
