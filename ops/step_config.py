"""How one step of stochastic gradient descent is taken, apart from its learning rate."""

from dataclasses import dataclass
from typing import Literal

Precision = Literal["float32", "tf32"]
Optimizer = Literal["sgd", "adamw", "lion"]

BETA2: dict[str, float] = {"adamw": 0.999, "lion": 0.99}
"""The papers' values of the second beta."""


@dataclass(frozen=True)
class StepConfig:
    """The update rule, the loss and the augmentation of a training step.

    With gradient g of the batch's mean loss, as PyTorch's SGD has it (`ops.optimizers` has the other rules):

        g <- g + weight_decay * theta
        v <- momentum * v + g
        theta <- theta - rate * (g + momentum * v   if nesterov else   v)

    Augmentation is drawn by example and epoch (see ops.augment), never by position in a batch.

    Attributes:
        momentum: Of steps of SGD; 0 for plain ones.
        nesterov: Whether a step of SGD looks ahead along the velocity.
        weight_decay: The L2 penalty on all parameters; for AdamW and Lion the decay apart from the gradient.
        label_smoothing: The share of each target spread evenly over all classes, in [0, 1).
        flip: Mirror each image left to right with probability one half.
        shift: Move each image by up to so many pixels in either direction, zeros moving in.
        precision: `float32`, or `tf32` where a GPU's tensor cores may take the factors of products rounded to 10 bits
            of fraction, with sums, parameters and all else in float32.
        optimizer: The rule.
        beta1: How much of the mean gradient AdamW and Lion keep from step to step.
        beta2: How much of the mean square AdamW keeps, and of the mean Lion; 0 for the paper's 0.999 and 0.99.
        epsilon: Added to AdamW's divisor.
        clip_norm: How long the gradient may be before it is scaled down to this length; 0 for any length.
        class_weights: What each class's part of the loss is multiplied by (see `ops.softmax_cross_entropy`); empty for
            1 everywhere.
    """

    momentum: float = 0.0
    nesterov: bool = False
    weight_decay: float = 0.0
    label_smoothing: float = 0.0
    flip: bool = False
    shift: int = 0
    precision: Precision = "float32"
    optimizer: Optimizer = "sgd"
    beta1: float = 0.9
    beta2: float = 0.0
    epsilon: float = 1e-8
    clip_norm: float = 0.0
    class_weights: tuple[float, ...] = ()

    @property
    def betas(self) -> tuple[float, float]:
        """Both betas, with the paper's second one where none is given."""
        return self.beta1, self.beta2 or BETA2[self.optimizer]

    @property
    def moves_velocity(self) -> bool:
        """Whether a step changes what the rule keeps; plain gradient descent leaves it as it is."""
        return self.optimizer != "sgd" or self.momentum != 0

    def state_size(self, parameters: int) -> int:
        """How many numbers the rule keeps from step to step: how long a replica's velocity is."""
        return 2 * parameters + 1 if self.optimizer == "adamw" else parameters
