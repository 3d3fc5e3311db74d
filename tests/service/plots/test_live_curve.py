"""The curve of a run that is under way."""

from xml.etree import ElementTree

import pytest

from service.plots.live_curve import FRAME, live_curve

SVG = "{http://www.w3.org/2000/svg}"


def epochs(*points: tuple[float, float]) -> list[dict]:
    return [
        {"kind": "epoch", "epoch": number + 1, "train_loss": loss, "train_accuracy": accuracy}
        for number, (loss, accuracy) in enumerate(points)
    ]


def lines(entries: list[dict]) -> list[list[tuple[float, float]]]:
    """The points of the lines of both panels, in the panel's own pixels."""
    found = ElementTree.fromstring(live_curve(entries)).iter(f"{SVG}polyline")
    return [[tuple(map(float, point.split(","))) for point in line.get("points").split()] for line in found]


@pytest.mark.parametrize("points", [[(2.3, 0.1)], [(2.3, 0.1), (0.5, 0.8), (0.4, 0.85)], [(0.0, 0.0), (0.0, 1.0)]])
def test_every_epoch_is_a_point_within_the_picture(points: list[tuple[float, float]]):
    loss, accuracy = lines(epochs(*points))
    assert len(loss) == len(accuracy) == len(points)
    assert all(FRAME.left <= x <= FRAME.width and 0 <= y <= FRAME.height for x, y in [*loss, *accuracy])


def test_a_lower_loss_lies_lower_and_a_higher_accuracy_higher():
    loss, accuracy = lines(epochs((2.0, 0.1), (1.0, 0.6), (0.5, 0.9)))
    assert [x for x, _ in loss] == sorted({x for x, _ in loss})
    assert [y for _, y in loss] == sorted({y for _, y in loss})
    assert [y for _, y in accuracy] == sorted({y for _, y in accuracy}, reverse=True)


def test_the_last_values_are_written_out():
    text = "".join(ElementTree.fromstring(live_curve(epochs((2.0, 0.1), (0.4321, 0.876)))).itertext())
    assert "train loss 0.4321" in text
    assert "train accuracy 87.6%" in text
