"""The names that tensors have elsewhere: what wrappers put around them, and in which order layers with them run."""

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TypeVar

Tensor = TypeVar("Tensor")

WRAPPERS = ("module", "_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module")
"""Parts of names that PyTorch's wrappers add: data parallel, compiled, fully sharded, with checkpoints."""

NO_TENSORS = ("num_batches_tracked",)
"""What a state dict has beside parameters and running statistics."""

KEYS = ("weight", "bias", "running_mean", "running_var")
"""The order of a layer's own tensors."""

TURNS = {"conv": 0, "bn": 1, "norm": 1, "relu": 2, "downsample": 8, "shortcut": 8, "classifier": 9, "fc": 9, "head": 9}
"""By the word in its name, when a layer runs among those beside it: convolution, its norm, …, what comes last."""


def without_wrappers(tensors: Mapping[str, Tensor], wanted: Collection[str]) -> dict[str, Tensor]:
    """The tensors under names without what wrappers added.

    A prefix that all names share (`model.`, `net.`) is taken off too, where the names are the wanted ones then.
    """
    plain = {_unwrapped(name): tensor for name, tensor in tensors.items() if not name.endswith(NO_TENSORS)}
    if len(plain) < sum(not name.endswith(NO_TENSORS) for name in tensors):
        plain = dict(tensors)  # two names became one
    shorter = plain
    while set(shorter) != set(wanted) and (prefix := _common_prefix(shorter)):
        shorter = {name.removeprefix(prefix): tensor for name, tensor in shorter.items()}
    return shorter if set(shorter) == set(wanted) else plain


def running_orders(names: Collection[str]) -> Iterator[list[str]]:
    """Orders in which the layers with these names may run, the likeliest first; a file keeps none.

    Numbers in names tell it (`net.0`, `net.10`, `conv1`, `fc2`), or else words do: `bn1` runs behind `conv1`, and `fc`
    comes last.
    """
    yield sorted(names, key=lambda name: (_natural(_layer(name)), _key_turn(name)))
    yield sorted(names, key=lambda name: (_by_words(_layer(name)), _key_turn(name)))


def layer_order(names: Sequence[str]) -> list[int]:
    """The positions of our own names, layer by layer: running statistics right behind the layer's parameters."""
    first = {layer: turn for turn, layer in reversed(list(enumerate(map(_layer, names))))}
    return sorted(range(len(names)), key=lambda at: (first[_layer(names[at])], _key_turn(names[at])))


def _unwrapped(name: str) -> str:
    parts = name.split(".")
    return ".".join([part for part in parts[:-1] if part not in WRAPPERS] + parts[-1:])


def _common_prefix(names: Collection[str]) -> str:
    """The first part that all names begin with, if something is left behind it; with its dot."""
    firsts = {name.partition(".")[0] for name in names}
    return f"{firsts.pop()}." if len(firsts) == 1 and all("." in name for name in names) else ""


def _layer(name: str) -> str:
    return name.rpartition(".")[0]


def _key_turn(name: str) -> int:
    key = name.rpartition(".")[2]
    return KEYS.index(key) if key in KEYS else 0


def _natural(name: str) -> list[tuple[int, str]]:
    return [(int(part), "") if part.isdigit() else (-1, part) for part in re.split(r"(\d+)", name) if part]


def _by_words(name: str) -> list[tuple[int, int, str]]:
    """Of each part of a name: whether it comes last, its number, then its word's turn."""
    turns = []
    for part in name.split("."):
        word, number = re.fullmatch(r"(.*?)(\d*)", part, re.DOTALL).groups()  # type: ignore[union-attr]  # always fits
        turn = TURNS.get(word.rstrip("_"), 2 if word else 0)
        late = 2 if turn == 9 else int(turn == 8 or word == "layer")
        turns.append((late, int(number or 0), f"{turn}{word}"))
    return turns
