"""The pictures that come with a model or a study. Drawn without a display and without global state."""

from service.plots.confusion import confusion_picture
from service.plots.curve import curve_picture
from service.plots.kernels import kernels_picture
from service.plots.study import study_picture

__all__ = ["confusion_picture", "curve_picture", "kernels_picture", "study_picture"]
