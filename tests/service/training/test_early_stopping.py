"""The best epoch and the last one, as functions of figures alone."""

from hypothesis import given
from hypothesis import strategies as st

from service.training.early_stopping import best_epoch, last_epoch
from service.training.epoch_scores import EpochScores
from service.training.metrics import Score


def scores(*figures: tuple[float, float]) -> dict[int, EpochScores]:
    """Epochs with these accuracies and losses on held-out examples."""
    test = Score(10, 1.0, 0.5)
    return {n: EpochScores(test, Score(20, loss, accuracy)) for n, (accuracy, loss) in enumerate(figures)}


def test_the_best_epoch_has_the_highest_accuracy_then_the_lowest_loss_then_comes_first():
    assert best_epoch(scores((0.7, 0.5), (0.8, 0.9), (0.75, 0.1))) == 1
    assert best_epoch(scores((0.7, 0.5), (0.8, 0.9), (0.8, 0.6))) == 2
    assert best_epoch(scores((0.8, 0.5), (0.8, 0.5))) == 0
    assert best_epoch({}) is None
    assert best_epoch({0: EpochScores(Score(10, 1.0, 0.5))}) is None


def test_epochs_behind_a_gap_do_not_count():
    found = scores((0.7, 0.5), (0.6, 0.5), (0.9, 0.5))
    del found[1]
    assert best_epoch(found) == 0
    assert last_epoch(found, 20, 2) == 2


def test_a_run_ends_once_so_many_epochs_were_no_better():
    found = scores((0.71, 1), (0.78, 1), (0.8, 1), (0.79, 1), (0.8, 1), (0.78, 1), (0.81, 1))
    assert [last_epoch(dict(list(found.items())[:n]), 20, 3) for n in range(8)] == [3, 3, 4, 5, 5, 5, 5, 9]
    assert last_epoch(found, 20, 0) == 19
    assert last_epoch(found, 8, 3) == 7


FIGURES = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), min_size=1, max_size=30)


@given(FIGURES, st.integers(1, 6))
def test_the_end_is_where_a_loop_over_the_epochs_would_stop(figures: list[tuple[int, int]], patience: int):
    best, since, end = None, 0, len(figures) - 1
    for epoch, (accuracy, loss) in enumerate(figures):
        if best is None or (accuracy, -loss) > best:
            best, since = (accuracy, -loss), 0
        else:
            since += 1
        if since == patience:
            end = epoch
            break
    found = scores(*figures)
    seen: dict[int, EpochScores] = {}
    while len(seen) <= last_epoch(seen, len(figures), patience):
        seen[len(seen)] = found[len(seen)]
    assert last_epoch(seen, len(figures), patience) == end
