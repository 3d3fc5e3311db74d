"""What is told of a model before somebody uses it."""

import numpy as np
import pytest

from service.config import from_preset
from service.training.findings import findings, is_at_chance
from service.training.metrics import Evaluation, measure

CONFIG = from_preset({"model": "mlp", "averaging": {"shards": 1}})


def evaluated(labels: list[int], predicted: list[int], classes: int = 3) -> Evaluation:
    logits = np.eye(classes, dtype=np.float32)[predicted] * 4
    return measure(logits, np.array(labels, np.uint8), tuple("abcdefghij"[:classes]))


def found(evaluation: Evaluation, counts: list[int], losses: tuple[float, ...] = (1.0986,)) -> tuple[str, ...]:
    return findings(CONFIG, evaluation, counts, losses, 100)


LABELS = [0, 1, 2] * 40
RIGHT = evaluated(LABELS, LABELS)


def test_nothing_is_told_of_a_good_model():
    assert found(RIGHT, [40, 40, 40], (0.1,)) == ()


def test_one_answer_for_all_is_at_chance_and_told_with_what_to_change():
    constant = evaluated(LABELS, [1] * 120)
    assert is_at_chance(constant)
    assert found(constant, [40, 40, 40]) == (
        "it is no better than guessing: test accuracy 0.3333, with one answer for all 0.3333; take more steps: "
        "--epochs 20 makes 2,000 instead of 1,000; or train with a lower learning rate, such as --lr 0.03; or see "
        "whether the labels belong to the pictures",
    )


def test_random_answers_are_at_chance():
    random = np.random.default_rng(0)
    assert is_at_chance(evaluated(random.integers(0, 3, 900).tolist(), random.integers(0, 3, 900).tolist()))


def test_one_who_learned_the_training_images_only_is_asked_whether_the_test_images_are_like_them():
    (told,) = found(evaluated(LABELS, [(label + 1) % 3 for label in LABELS]), [40, 40, 40], (1.0, 0.01))
    assert "the train loss, 0.010, is below that of guessing, 1.099: see whether test and training images" in told


def test_a_rare_class_that_is_recognised_is_not_chance_though_the_accuracy_hardly_shows_it():
    labels = [0] * 950 + [1] * 50
    assert is_at_chance(evaluated(labels, [0] * 1000, 2))
    assert not is_at_chance(evaluated(labels, [0] * 920 + [1] * 30 + [1] * 40 + [0] * 10, 2))


def test_a_few_test_images_can_not_tell():
    assert not is_at_chance(evaluated([0, 1], [0, 0], 2))


def test_classes_that_are_never_answered_are_named():
    (told,) = found(evaluated(LABELS, [min(label, 1) for label in LABELS]), [40, 40, 40], (0.4,))
    assert told.startswith("it never answers with 'c', though there are test images of it: ")


@pytest.mark.parametrize(("counts", "told"), [([400, 40, 41], True), ([399, 40, 41], False)])
def test_classes_far_from_balanced_are_told(counts: list[int], told: bool):
    expected = (
        "the classes are far from balanced: 'a' has 400 training images, 'b' has 40; judge by the balanced accuracy, "
        "1.0000, and by the figures of each class; or train with --class-weights balanced"
    )
    assert found(RIGHT, counts, (0.1,)) == ((expected,) if told else ())


def test_weighted_classes_are_not_told_to_be_weighted():
    config = CONFIG.model_copy(update={"class_weights": "balanced"})
    (told,) = findings(config, RIGHT, [400, 40, 41], (0.1,), 100)
    assert told.endswith("1.0000, and by the figures of each class")


def test_classes_without_training_images_are_named():
    assert found(RIGHT, [40, 0, 40], (0.1,)) == ("there are no training images of 'b': it can't know it",)


def test_of_many_classes_some_are_named():
    labels = list(range(10)) * 30
    (told,) = found(evaluated(labels, [label % 3 for label in labels], 10), [30] * 10, (0.4,))
    assert told.startswith("it never answers with 'd', 'e', 'f', 'g', 'h' and 2 more, though")
