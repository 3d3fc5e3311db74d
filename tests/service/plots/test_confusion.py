"""The confusion matrix of any classes."""

import io

from PIL import Image

from service.plots.confusion import confusion_picture


def test_names_of_classes_are_drawn_as_they_are():
    drawn = []
    for names in (("a$x_$", "b"), ("$x^2$", "$$"), ("a", "b")):
        stream = io.BytesIO()
        confusion_picture(((3, 1), (0, 2)), names, stream)
        drawn.append(Image.open(stream).tobytes())
    assert len(set(drawn)) == 3
