"""What each class's part of the loss is multiplied by, from the option and the numbers of training examples."""

from collections.abc import Sequence

from service.errors import InvalidInput

NONE, BALANCED = "none", "balanced"

IMBALANCE = 10
"""From so many times as many examples in one class as in another on, classes are far from balanced."""

FORM = f"must be {NONE}, {BALANCED}, a number for each class as in 1,1,4, or NAME=NUMBER as in cat=4,dog=2"


def class_weights(text: str, names: Sequence[str], counts: Sequence[int]) -> tuple[float, ...]:
    """The weights that are configured, scaled so that their mean over all training examples is 1.

    With that scale a learning rate means what it means without weights, and a batch of the whole training set has the
    loss and the gradient of PyTorch's `CrossEntropyLoss(weight=…)`.

    Args:
        text: `none`; `balanced`, where a class weighs as much as any other, however many examples it has; or weights.
        names: of the classes.
        counts: how many training examples of each there are.

    Returns:
        A weight for each class, or none at all for `none`.

    Raises:
        InvalidInput: they are not weights above zero, one for each class or by name.
    """
    if text == NONE:
        return ()
    weights = [1 / count if count else 0.0 for count in counts] if text == BALANCED else _weights(text, names)
    whole = sum(weight * count for weight, count in zip(weights, counts, strict=True))
    # a class without examples isn't weighed; with label smoothing it counts as much as an average one
    return tuple(weight * sum(counts) / whole if count else 1.0 for weight, count in zip(weights, counts, strict=True))


def imbalance(names: Sequence[str], counts: Sequence[int]) -> str:
    """What to say of classes that are far from balanced; empty where they aren't."""
    present = [(count, name) for name, count in zip(names, counts, strict=True) if count]
    (least, rare), (most, common) = min(present), max(present)
    if most < IMBALANCE * least:
        return ""
    return f"the classes are far from balanced: {common!r} has {most:,} training images, {rare!r} has {least:,}"


def _weights(text: str, names: Sequence[str]) -> list[float]:
    parts = text.split(",")
    if "=" in text:
        by_name = {name: _number(number, text) for name, _, number in (part.rpartition("=") for part in parts)}
        if strangers := sorted(set(by_name) - set(names)):
            raise InvalidInput(
                f"--class-weights names {strangers[0]!r}, which is none of the classes {', '.join(names)}"
            )
        return [by_name.get(name, 1.0) for name in names]
    weights = [_number(part, text) for part in parts]
    if len(weights) != len(names):
        raise InvalidInput(
            f"--class-weights must have {len(names)} numbers, one for each class, got {len(parts)}: {text}"
        )
    return weights


def _number(text: str, whole: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise InvalidInput(f"--class-weights {FORM}, got {whole!r}") from None
    if not 1e-6 <= number <= 1e6:
        raise InvalidInput(f"--class-weights must be numbers from 0.000001 to 1000000, got {text}")
    return number
