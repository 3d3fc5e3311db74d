"""The textbook's training loop."""

import numpy as np
import pytest

import ops
from ops.engines.array import ArrayEngine
from ops.lr_schedules import Constant
from ops.training import Timer, accuracy, epoch_steps, train


def bars(total: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy images with a bright bar, upright or lying: two classes that a small network can tell apart."""
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (total, 8, 8), dtype=np.uint8)
    labels = rng.integers(0, 2, total).astype(np.uint8)
    for image, label, at in zip(images, labels, rng.integers(0, 8, total), strict=True):
        (image if label else image.T)[at] = 255
    return images, labels


def run(seed: int = 0) -> list:
    network = ops.Network("bars", (1, 8, 8), (ops.Flatten(), ops.Dense(16), ops.ReLU(), ops.Dense(2)), "he")
    engine = ArrayEngine(network, ops.StepConfig(momentum=0.9))
    sets = bars(300, 1), bars(100, 2)
    return list(train(network, engine, *sets, epochs=6, batch_size=32, schedule=Constant(0.1), seed=seed))


def test_training_learns_and_says_how_it_stands():
    epochs = run()
    assert [epoch.number for epoch in epochs] == [1, 2, 3, 4, 5, 6]
    assert epochs[-1].loss < epochs[0].loss / 2
    assert epochs[-1].test_accuracy > 0.9
    assert epochs[-1].train_accuracy > 0.9
    assert all(epoch.examples_per_s > 0 for epoch in epochs)
    assert str(epochs[0]).startswith(f"epoch 1, loss {epochs[0].loss:.3f}, train acc ")


def test_training_is_a_function_of_its_seed():
    first, again, other = run(), run(), run(seed=1)
    np.testing.assert_array_equal(first[-1].theta, again[-1].theta)
    assert (first[-1].theta != other[-1].theta).any()


@pytest.mark.parametrize(("total", "batch_size"), [(10, 3), (9, 3), (2, 5), (1, 1)])
def test_an_epoch_takes_every_example_once(total, batch_size):
    count = -(-total // batch_size)
    steps = epoch_steps(total, batch_size, np.ones(count, np.float32), seed=1, epoch=2)
    assert sorted(steps.examples.tolist()) == list(range(total))
    sizes = np.diff(steps.offsets)
    assert (sizes[:-1] == batch_size).all()
    assert 1 <= sizes[-1] <= batch_size
    assert sizes.sum() == total


def test_epochs_differ_in_their_order():
    first, second = (
        epoch_steps(50, 50, np.ones(1, np.float32), seed=1, epoch=epoch).examples.tolist() for epoch in (0, 1)
    )
    assert first != second


def test_accuracy_counts_the_rows_whose_largest_stands_at_the_label():
    logits = np.array([[0.1, 0.9], [0.8, 0.2], [0.3, 0.7], [0.6, 0.4]])
    assert accuracy(logits, np.array([1, 0, 0, 0])) == 0.75
    assert np.isnan(accuracy(logits[:0], np.array([], int)))


def test_a_timer_adds_up_and_knows_the_rate(monkeypatch):
    clock = iter([10.0, 12.0, 20.0, 23.0])
    monkeypatch.setattr("ops.training.perf_counter", lambda: next(clock))
    timer = Timer()
    assert timer.rate(100) == 0
    for _ in range(2):
        with timer:
            pass
    assert timer.seconds == 5
    assert timer.rate(100) == 20


def test_no_examples_or_no_batch_are_refused():
    network = ops.Network("bars", (1, 8, 8), (ops.Flatten(), ops.Dense(2)))
    engine = ArrayEngine(network, ops.StepConfig())
    sets = bars(4, 1), bars(4, 2)
    with pytest.raises(ops.OpsError, match="batch_size and the number of examples must be >= 1, got 0 and 4"):
        next(train(network, engine, *sets, epochs=1, batch_size=0, schedule=Constant(0.1)))
