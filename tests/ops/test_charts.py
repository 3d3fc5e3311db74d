"""Where the points of a chart lie, worked by hand."""

import pytest

from ops.charts import Frame, Line, chart_of

FRAME = Frame(width=120, height=60, left=10, right=10, top=5, bottom=5)


def test_points_lie_between_the_margins_and_y_grows_upwards() -> None:
    chart = chart_of([Line("loss", ((1, 0.0), (2, 0.5), (3, 1.0)))], y_max=1.0)
    assert [FRAME.place(chart, *point) for point in chart.lines[0].points] == [(10, 55), (60, 30), (110, 5)]
    assert FRAME.polyline(chart, chart.lines[0]) == "10.0,55.0 60.0,30.0 110.0,5.0"


def test_lines_share_both_axes() -> None:
    chart = chart_of([Line("train", ((1, 2.0), (4, 1.0))), Line("test", ((2, 4.0),)), Line("none", ())])
    assert [line.name for line in chart.lines] == ["train", "test"]
    assert chart.x_range == (1, 4)
    assert chart.y_max == pytest.approx(1.05 * 4.0)
    assert chart.ticks(3) == (0, pytest.approx(2.1), pytest.approx(4.2))


@pytest.mark.parametrize("points", [(), ((1, 0.0),), ((1, 0.0), (2, 0.0))], ids=["none", "one", "zeros"])
def test_a_chart_has_an_extent_whatever_it_shows(points: tuple[tuple[float, float], ...]) -> None:
    chart = chart_of([Line("loss", points)])
    assert chart.x_range[1] > chart.x_range[0]
    assert chart.y_max > 0


def test_a_single_point_lies_at_the_left() -> None:
    assert FRAME.place(chart_of([Line("loss", ((7, 0.5),))], y_max=1.0), 7, 0.5) == (10, 30)
