"""What classes weigh in the loss, from the option and the numbers of examples."""

import numpy as np
import pytest

import ops
from service.errors import InvalidInput
from service.rounds.class_weights import class_weights, imbalance

NAMES = ("cat", "a=b", "dog")


def test_none_weighs_nothing():
    assert class_weights("none", NAMES, (1, 2, 3)) == ()


def test_balanced_classes_weigh_the_same_whatever_their_numbers():
    counts = (900, 30, 70)
    weights = class_weights("balanced", NAMES, counts)
    assert [weight * count for weight, count in zip(weights, counts, strict=True)] == pytest.approx([1000 / 3] * 3)


@pytest.mark.parametrize("text", ["2,1,4", "cat=2,dog=4", "a=b=1,dog=4,cat=2", "balanced"])
def test_weights_are_one_in_the_mean_over_the_examples(text: str):
    counts = (5, 10, 85)
    assert np.dot(class_weights(text, NAMES, counts), counts) == pytest.approx(100)


def test_names_and_places_say_the_same():
    counts = (5, 10, 85)
    first, *others = (class_weights(text, NAMES, counts) for text in ("2,1,4", "cat=2,dog=4", "a=b=1,dog=4,cat=2"))
    assert first[0] / first[1] == pytest.approx(2)
    assert first[2] / first[1] == pytest.approx(4)
    assert all(other == first for other in others)


def test_a_class_without_examples_weighs_nothing_of_the_others():
    assert class_weights("balanced", NAMES, (10, 0, 30)) == pytest.approx((2, 1, 2 / 3))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1,2", "--class-weights must have 3 numbers, one for each class, got 2: 1,2"),
        ("cow=2", "--class-weights names 'cow', which is none of the classes cat, a=b, dog"),
        ("1,2,many", "--class-weights must be none, balanced, a number for each class"),
        ("1,0,1", "--class-weights must be numbers from 0.000001 to 1000000, got 0"),
        ("cat=nan", "--class-weights must be numbers from 0.000001 to 1000000, got nan"),
        ("Balanced", "--class-weights must be none, balanced, a number for each class"),
    ],
)
def test_what_are_no_weights_is_refused(text: str, message: str):
    with pytest.raises(InvalidInput) as error:
        class_weights(text, NAMES, (1, 2, 3))
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(("most", "said"), [(400, True), (399, False)])
def test_classes_are_far_from_balanced_from_ten_times_on(most: int, said: bool):
    assert bool(imbalance(NAMES, (most, 40, 0))) == said


@pytest.mark.peers
def test_all_examples_at_once_have_the_mean_loss_and_gradient_that_pytorch_gives():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    rng = np.random.default_rng(4)
    labels = np.repeat([0, 1, 2], [50, 7, 3])
    logits = rng.normal(size=(60, 3)).astype(np.float32)
    for text, theirs in (("1,2,5", (1, 2, 5)), ("balanced", (1 / 50, 1 / 7, 1 / 3))):
        tensor = torch.tensor(logits, requires_grad=True)
        expected = torch.nn.CrossEntropyLoss(weight=torch.tensor(theirs, dtype=torch.float32), label_smoothing=0.1)
        value = expected(tensor, torch.tensor(labels))
        value.backward()
        weights = class_weights(text, NAMES, (50, 7, 3))
        loss, gradient = ops.softmax_cross_entropy(logits, labels, label_smoothing=0.1, class_weights=weights)
        assert float(loss) == pytest.approx(float(value.detach()), rel=1e-5)
        np.testing.assert_allclose(gradient, tensor.grad.numpy(), rtol=0, atol=1e-6)  # sums of 60 numbers below 0.1
