"""How one step of stochastic gradient descent is taken, apart from its learning rate."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "tf32"]


@dataclass(frozen=True)
class StepConfig:
    """The update rule, the loss and the augmentation of a training step.

    With gradient g of the batch's mean loss, as PyTorch's SGD has it:

        g <- g + weight_decay * theta
        v <- momentum * v + g
        theta <- theta - rate * (g + momentum * v   if nesterov else   v)

    Augmentation is drawn by example and epoch (see ops.augment), never by position in a batch.

    Attributes:
        momentum: Of the steps; 0 for plain SGD.
        nesterov: Whether a step looks ahead along the velocity.
        weight_decay: The L2 penalty on all parameters.
        label_smoothing: The share of each target spread evenly over all classes, in [0, 1).
        flip: Mirror each image left to right with probability one half.
        shift: Move each image by up to so many pixels in either direction, zeros moving in.
        precision: `float32`, or `tf32` where a GPU's tensor cores may take the factors of products rounded to 10 bits
            of fraction, with sums, parameters and all else in float32.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    precision: Precision = "float32"
