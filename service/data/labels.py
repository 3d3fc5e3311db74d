"""From labels as a source has them, names or numbers with or without gaps, to classes from 0 on with names."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from service.errors import DataError

MAX_CLASSES = 256
"""What fits into the byte that a label is stored in."""

LABELS = 1 << 20
"""Labels that are looked up at a time."""


def sorted_names(names: Iterable[str]) -> list[str]:
    """Names in the order of their classes: as numbers where all are whole numbers, else as text."""
    unique = set(names)
    return sorted(unique, key=int) if all(name.isdecimal() for name in unique) else sorted(unique)


def name_classes(
    train: NDArray[np.generic], test: NDArray[np.generic] | None, names: Sequence[str] = ()
) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None, tuple[str, ...]]:
    """Labels as classes from 0 on, none of them without an example.

    Args:
        train: labels (N,), whole numbers or text.
        test: the same of the test examples, if there are any.
        names: of the classes by number; without any a class is named by its number.

    Returns:
        The classes (N,) of both, and a name for each.

    Raises:
        DataError: there are more than 256 classes, or a label is not among the names.
    """
    groups = [group for group in (train, test) if group is not None]
    together = np.concatenate([group.astype(str) if group.dtype.kind in "UO" else group for group in groups])
    if together.dtype.kind == "U":
        found = np.array(sorted_names(str(label) for label in np.unique(together)))
        class_names = tuple(str(label) for label in found)
    else:
        found = np.unique(together)
        if names and (found[0] < 0 or found[-1] >= len(names)):
            raise DataError(f"labels reach from {found[0]} to {found[-1]}, but there are {len(names)} class names")
        class_names = tuple(names[int(label)] if names else str(int(label)) for label in found)
    if len(found) > MAX_CLASSES:
        raise DataError(f"there are {len(found):,} classes, and a store holds at most {MAX_CLASSES}")
    if len(set(class_names)) < len(class_names):
        raise DataError("two classes have the same name")
    order = np.argsort(found, kind="stable")
    classes = np.empty(len(together), np.uint8)
    for start in range(0, len(together), LABELS):
        part = slice(start, start + LABELS)
        classes[part] = order[np.searchsorted(found, together[part], sorter=order)]
    return classes[: len(train)], (None if test is None else classes[len(train) :]), class_names
