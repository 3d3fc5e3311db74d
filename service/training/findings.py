"""What people should know of a trained model before they use it: one line each, with what to change."""

from collections.abc import Sequence
from math import sqrt

from service.config import TrainConfig
from service.rounds.class_weights import NONE, class_weights, imbalance
from service.training.guessing import Guessing, advice
from service.training.metrics import Evaluation
from service.training.plateau import AS_GUESSING

NAMED = 5
"""How many classes a line names."""


def is_at_chance(evaluation: Evaluation) -> bool:
    """Whether accuracy and balanced accuracy on the test examples are within three deviations of guessing."""
    guessed = Guessing.of([each.support for each in evaluation.classes]).accuracy
    balanced = 1 / max(sum(each.support > 0 for each in evaluation.classes), 1)

    def reach(share: float) -> float:
        return share + 3 * sqrt(share * (1 - share) / evaluation.examples)

    return 1 > reach(guessed) >= evaluation.accuracy and reach(balanced) >= evaluation.balanced_accuracy


def findings(
    config: TrainConfig, evaluation: Evaluation, counts: Sequence[int], losses: Sequence[float], steps_per_epoch: int
) -> tuple[str, ...]:
    """What is wrong with a model, or with what it was trained on.

    Args:
        config: its training.
        evaluation: on the test examples.
        counts: the training examples of each class.
        losses: the train loss of each epoch, up to that of the model.
        steps_per_epoch: the steps of an epoch.
    """
    found = []
    names = [each.name for each in evaluation.classes]
    if is_at_chance(evaluation):
        found.append(_at_chance(config, evaluation, counts, losses, steps_per_epoch))
    elif never := [name for index, name in enumerate(names) if _never(evaluation, index)]:
        found.append(
            f"it never answers with {_listed(never)}, though there are test images of {_them(never)}: look at the "
            "confusion matrix, and train longer or with a lower learning rate"
        )
    if missing := [name for name, count in zip(names, counts, strict=True) if not count]:
        found.append(f"there are no training images of {_listed(missing)}: it can't know {_them(missing)}")
    if unbalanced := imbalance(names, counts):
        weigh = "; or train with --class-weights balanced" if config.class_weights == NONE else ""
        found.append(
            f"{unbalanced}; judge by the balanced accuracy, {evaluation.balanced_accuracy:.4f}, and by the figures of "
            f"each class{weigh}"
        )
    return tuple(found)


def _at_chance(
    config: TrainConfig, evaluation: Evaluation, counts: Sequence[int], losses: Sequence[float], steps_per_epoch: int
) -> str:
    guessed = Guessing.of([each.support for each in evaluation.classes]).accuracy
    weights = class_weights(config.class_weights, [each.name for each in evaluation.classes], counts)
    loss = Guessing.of(counts, config.optimizer.label_smoothing, weights).loss
    text = (
        f"it is no better than guessing: test accuracy {evaluation.accuracy:.4f}, with one answer for all {guessed:.4f}"
    )
    if losses[-1] < AS_GUESSING * loss:
        return (
            f"{text}; the train loss, {losses[-1]:.3f}, is below that of guessing, {loss:.3f}: see whether test and "
            "training images are of the same kind, with the same numbers for the same classes"
        )
    fell_back = min(losses) < AS_GUESSING * loss
    return f"{text}; {advice(config, steps_per_epoch, fell_back=fell_back)}"


def _never(evaluation: Evaluation, index: int) -> bool:
    return evaluation.classes[index].support > 0 and not any(row[index] for row in evaluation.confusion)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(map(repr, names[:NAMED])) + more


def _them(names: Sequence[str]) -> str:
    return "them" if len(names) > 1 else "it"
