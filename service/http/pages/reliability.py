"""The reliability diagram of a model's page: bars in an SVG of 100 by 100."""

from collections.abc import Mapping, Sequence
from typing import Any

Bar = dict[str, float]


def reliability_bars(bins: Sequence[Mapping[str, Any]]) -> list[Bar]:
    """A bar for each interval of confidence that has predictions.

    Args:
        bins: as in a model's metrics.

    Returns:
        `x`, `width`; `y` and `height` of the accuracy; `gap_y` and `gap` from there to the mean confidence, all in
        per cent from the top left corner; `count`, `confidence` and `accuracy` as they were measured.
    """
    width = 100 / len(bins)
    return [
        {
            "x": round(number * width + 0.2, 2),
            "width": round(width - 0.4, 2),
            "y": round(100 - 100 * found["accuracy"], 2),
            "height": round(100 * found["accuracy"], 2),
            "gap_y": round(100 - 100 * max(found["accuracy"], found["confidence"]), 2),
            "gap": round(100 * abs(found["accuracy"] - found["confidence"]), 2),
            "count": found["count"],
            "confidence": found["confidence"],
            "accuracy": found["accuracy"],
        }
        for number, found in enumerate(bins)
        if found["count"]
    ]
