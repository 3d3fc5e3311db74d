"""Pictures: that they are pictures, and show what they should."""

from io import BytesIO

import numpy as np
import pytest
from PIL import Image

import ops
from ops.plots import Curve, images, kernels, png


@pytest.fixture
def curve() -> Curve:
    curve = Curve("train loss", "train accuracy", "test accuracy")
    for x, values in enumerate([(2.3, 0.1, 0.12), (1.0, 0.5, 0.49), (0.5, 0.8, 0.79)], start=1):
        curve.add(x, *values)
    return curve


def test_a_curve_has_a_line_with_its_points_for_each_name(curve):
    axes = curve.figure().axes[0]
    assert [line.get_label() for line in axes.lines] == ["train loss", "train accuracy", "test accuracy"]
    np.testing.assert_array_equal(axes.lines[0].get_xydata(), [[1, 2.3], [2, 1.0], [3, 0.5]])
    assert axes.get_xlabel() == "epoch"
    assert axes.get_ylim() == (0, pytest.approx(2.3 * 1.05))


def test_a_curve_is_a_picture_wherever_it_is_shown(curve):
    picture = Image.open(BytesIO(curve._repr_png_()))
    assert picture.format == "PNG"
    assert min(picture.size) > 400


def test_the_animation_has_a_frame_for_each_point(curve):
    animation = Image.open(BytesIO(curve.gif()))
    assert animation.format == "GIF"
    assert animation.n_frames == 3


def test_update_adds_a_point_outside_of_notebooks_too(curve):
    curve.update(4, 0.4, 0.85, 0.8)
    assert len(curve.points) == 4


def test_a_point_needs_a_value_for_each_line(curve):
    with pytest.raises(ops.ShapeError, match="values must be 3"):
        curve.add(4, 0.1)


def test_kernels_are_drawn_on_one_scale_around_zero():
    weight = np.random.default_rng(0).normal(size=(6, 2, 5, 5))
    figure = kernels(weight)
    drawn = [axes.images[0] for axes in figure.axes if axes.images]
    assert len(drawn) == 6
    np.testing.assert_allclose(drawn[2].get_array(), weight[2].mean(axis=0))
    largest = np.abs(weight.mean(axis=1)).max()
    assert {image.get_clim() for image in drawn} == {(-largest, largest)}
    assert png(figure).startswith(b"\x89PNG")


def test_alexnets_first_kernels_can_be_drawn():
    network = ops.network("alexnet", (1, 224, 224), 10)
    weight = np.random.default_rng(0).normal(size=network.table[0].shape)
    figure = kernels(weight)
    assert sum(bool(axes.images) for axes in figure.axes) == 96


def test_many_pictures_are_laid_out_in_rows():
    figure = images(np.random.default_rng(0).random((10, 4, 4)), tuple("abcdefghij"), diverging=False)
    assert [axes.get_title() for axes in figure.axes][:10] == list("abcdefghij")
    assert len(figure.axes) == 12  # three rows of four


@pytest.mark.parametrize("call", [lambda: images(np.zeros((3, 3))), lambda: kernels(np.zeros((3, 3)))])
def test_what_is_no_picture_is_refused(call):
    with pytest.raises(ops.ShapeError, match="must have shape"):
        call()
