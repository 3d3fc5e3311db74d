"""Runs in TensorBoard: event files in the folder of the run, `runs/<id>/tensorboard/`.

`tensorboard --logdir ~/.atelier/runs` shows all runs: rounds, epochs and evaluations as scalars, the configuration
among the hyperparameters, the model's pictures as images, its card as text. Each process that works on a run adds a
file; TensorBoard reads them as one.
"""

from collections.abc import Sequence
from datetime import datetime
from importlib.util import find_spec
from io import BytesIO
from typing import Any

import numpy as np
from PIL import Image

from service.errors import AtelierError
from service.registry import ModelVersion
from service.runs import Entry
from service.tracking.base import TrackedRun
from service.tracking.figures import figures_of

COMPARED = ("accuracy/train", "loss/train", "accuracy/test", "loss/test")
"""The figures beside the hyperparameters; with examples held out, `accuracy/validation` comes first."""


def check() -> None:
    """Raise AtelierError where what writes event files isn't installed."""
    if find_spec("tensorboardX") is None:
        raise AtelierError(
            "what writes TensorBoard's event files is not installed: pip install 'atelier-train[tensorboard]'"
        )


def tracker(run: TrackedRun, saved: dict[str, str]) -> "TensorBoardTracker":
    """See `service.tracking.base.TrackerModule`."""
    begun = TensorBoardTracker(run, is_new="begun" not in saved)
    saved["begun"] = run.files.started()
    return begun


class TensorBoardTracker:
    """Event files of one run."""

    def __init__(self, run: TrackedRun, *, is_new: bool) -> None:
        """Begin a file. is_new: whether it is the run's first, which gets the hyperparameters."""
        from tensorboardX import SummaryWriter

        folder = run.local / "tensorboard"
        another = f".{len(list(folder.glob('events.*')))}"  # the name alone has the second, and two would overwrite
        self._writer: Any = SummaryWriter(str(folder), max_queue=1000, filename_suffix=another)
        if is_new:
            self._add_hyperparameters(run)

    def add(self, entries: Sequence[Entry]) -> None:
        """See `Tracker`."""
        for entry in entries:
            for figure in figures_of(entry):
                self._writer.add_scalar(figure.name, figure.value, figure.step, walltime=figure.at)
        self._writer.flush()

    def publish(self, model: ModelVersion, measured: Sequence[Entry]) -> None:
        """See `Tracker`."""
        at = datetime.fromisoformat(model.created).timestamp()
        self.add(measured)
        for name in model.files:
            if name.endswith(".png"):
                picture = np.asarray(Image.open(BytesIO(model.read_file(name))).convert("RGB"))
                self._writer.add_image(f"model/{name[:-4]}", picture, 0, walltime=at, dataformats="HWC")
        self._writer.add_text("model/card", model.read_file("README.md").decode(), 0, walltime=at)
        self._writer.flush()

    def end(self, outcome: str) -> None:
        """See `Tracker`."""
        self._writer.close()

    def _add_hyperparameters(self, run: TrackedRun) -> None:
        """Write them into the file of the curves; `add_hparams` would make a run of its own of them."""
        from tensorboardX.summary import hparams

        held_out = ("accuracy/validation", "loss/validation") if run.config.holdout else ()
        experiment, start, _ = hparams(run.parameters(), dict.fromkeys((*held_out, *COMPARED), 0.0))
        self._writer.file_writer.add_summary(experiment)
        self._writer.file_writer.add_summary(start)
