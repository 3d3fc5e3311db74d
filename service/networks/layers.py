"""Layers from what a description says, and the other way round."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from ops.errors import OpsError
from ops.layers import Layer, Normalize, find, names
from service.errors import InvalidInput
from service.networks.fields import CLASSES, Chain, Chains, fields_of, fits, hints_of, in_words, required

if TYPE_CHECKING:  # with it would come Zarr and Pillow, for which lists of models shall not wait
    from service.data.channel_statistics import ChannelStatistics

NOT_COUNTED = (
    "the store of this data set is of a version that recorded none; write them here, or ingest it again from its source"
)
"""Why "normalize" can't stand for the statistics of a data set."""

DEEPEST = 8
"""Blocks in blocks that a description may have."""


@dataclass(frozen=True)
class Reader:
    """Makes layers of what a description says.

    Attributes:
        classes: What the word "classes" stands for.
        statistics: What "normalize" without numbers stands for; None leaves that open.
    """

    classes: int
    statistics: "ChannelStatistics | None" = None

    def chain(self, items: Sequence[Any], place: str, depth: int = 0) -> Chain:
        """Layers one after another. Raises InvalidInput, in one line with the place of what is wrong."""
        if depth > DEEPEST:
            raise InvalidInput(f"{place}: blocks must not lie deeper than {DEEPEST} in one another")
        return tuple(self.layer(item, f"{place}[{index}]", depth) for index, item in enumerate(items))

    def layer(self, item: Any, place: str, depth: int = 0) -> Layer:
        """One layer. Raises InvalidInput."""
        name, values = named(item, place)
        kind = _kind(name, place)
        self._check(kind, values, place)
        if kind is Normalize and not values and self.statistics:
            values = asdict(self.statistics)
            if not self.statistics.means:
                raise InvalidInput(f"{place}: normalize needs means and deviations: {NOT_COUNTED}")
        try:
            return kind(**{field: self._value(kind, field, value, place, depth) for field, value in values.items()})
        except OpsError as error:
            raise InvalidInput(f"{place}: {name}: {error}") from None

    def _check(self, kind: type[Layer], values: dict[str, Any], place: str) -> None:
        name, known, missing = kind.__name__.lower(), list(fields_of(kind)), set(required(kind)) - set(values)
        if unknown := set(values) - set(known):
            takes = f"takes {', '.join(known)}" if known else "takes nothing"
            raise InvalidInput(f"{place}: {name} {takes}; got {', '.join(sorted(unknown))}")
        if missing:
            raise InvalidInput(
                f"{place}: {name} needs {', '.join(sorted(missing))}; got {', '.join(values) or 'nothing'}"
            )
        for field, value in values.items():
            hint = hints_of(kind)[field]
            if not fits(value, hint):
                raise InvalidInput(f"{place}: {name}.{field} must be {in_words(hint)}, got {short(value)}")

    def _value(self, kind: type[Layer], field: str, value: Any, place: str, depth: int) -> Any:
        hint = hints_of(kind)[field]
        if hint == Chain:
            return self.chain(value, f"{place}.{field}", depth + 1)
        if hint == Chains:
            return tuple(self.chain(items, f"{place}.{field}[{index}]", depth + 1) for index, items in enumerate(value))
        if isinstance(value, list):
            return tuple(value)
        return self.classes if value == CLASSES and fits(0, hint) else value


def named(item: Any, place: str) -> tuple[str, dict[str, Any]]:
    """The name and the fields in `"relu"` or `{"conv2d": {…}}`. Raises InvalidInput."""
    if isinstance(item, str):
        return item, {}
    if not isinstance(item, dict) or len(item) != 1 or not isinstance(next(iter(item.values())), dict):
        raise InvalidInput(
            f"{place} must be a layer's name or its name with its fields, such as {{ maxpool2d = {{ size = 2 }} }}, "
            f"got {short(item)}"
        )
    ((name, values),) = item.items()
    return name, values


def nested(layer: Layer) -> Iterator[tuple[str, Chain]]:
    """The chains of layers that a block is made of, each with its place in the block. Each takes the block's input."""
    for field in fields_of(type(layer)):
        hint, value = hints_of(type(layer))[field], getattr(layer, field)
        if hint == Chain and value:
            yield f".{field}", value
        elif hint == Chains:
            yield from ((f".{field}[{index}]", chain) for index, chain in enumerate(value))


def flat(layers: Iterable[Layer]) -> Iterator[Layer]:
    """All layers, blocks and what is in them."""
    for layer in layers:
        yield layer
        for _, chain in nested(layer):
            yield from flat(chain)


def _kind(name: str, place: str) -> type[Layer]:
    if name in names():
        return find(name)
    near = get_close_matches(name.lower(), names(), 1, 0.5)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InvalidInput(f"{place} must be one of {', '.join(names())}, got {short(name)}{hint}")


def short(value: Any) -> str:
    """A value for a message: on one line that is not too long."""
    try:
        text = repr(value)
    except RecursionError:
        text = f"a {type(value).__name__} nested too deeply"
    return text if len(text) <= 60 else f"{text[:57]}..."
