"""Which trials go on, simulated: measuring takes no time, and comes in any order."""

from collections.abc import Callable, Mapping

from hypothesis import given
from hypothesis import strategies as st

from service.search.sweep.brackets import Bracket
from service.search.sweep.halving import promoted
from service.search.sweep.promotion import Step, due, due_asynchronously

BRACKET = Bracket(tuple(range(9)), (1, 3, 9))

Due = Callable[[Mapping[int, Mapping[int, float]], set[int], list[Step]], list[Step]]


def synchronous(merits: Mapping[int, Mapping[int, float]], failed: set[int], doing: list[Step]) -> list[Step]:
    return [step for step in due(BRACKET, merits, failed, 3) if step not in doing]


def asynchronous(merits: Mapping[int, Mapping[int, float]], failed: set[int], doing: list[Step]) -> list[Step]:
    return due_asynchronously(BRACKET, merits, failed, 3, doing)


def simulate(
    due: Due, merit: Mapping[int, float], order: st.DataObject, failing: frozenset[int] = frozenset()
) -> tuple[dict[int, dict[int, float]], list[Step]]:
    """Take a bracket to its end, three steps at a time, which end in the order that is drawn."""
    merits: dict[int, dict[int, float]] = {}
    doing: list[Step] = []
    done: list[Step] = []
    failed: set[int] = set()
    while True:
        doing += due(merits, failed, doing)[: 3 - len(doing)]
        assert len(set(doing)) == len(doing), "a step is done once at a time"
        if not doing:
            return merits, done
        step = doing.pop(order.draw(st.integers(0, len(doing) - 1)))
        assert step not in done
        if step[0] in failing:
            failed.add(step[0])
        else:
            done.append(step)
            merits.setdefault(step[1], {})[step[0]] = merit[step[0]] + step[1]


MERITS = st.lists(st.integers(0, 5), min_size=9, max_size=9).map(lambda values: dict(enumerate(map(float, values))))


@given(MERITS, st.data())
def test_the_synchronous_form_depends_on_the_figures_alone(merit: dict[int, float], order: st.DataObject):
    merits, _ = simulate(synchronous, merit, order)
    second = promoted(merit, 3)
    (last,) = promoted({trial: merit[trial] for trial in second}, 3)
    assert {epochs: sorted(found) for epochs, found in merits.items()} == {1: list(range(9)), 3: second, 9: [last]}


@given(MERITS, st.data(), st.frozensets(st.integers(0, 8), max_size=8))
def test_trials_that_fail_are_left_out(merit: dict[int, float], order: st.DataObject, failing: frozenset[int]):
    for form in (synchronous, asynchronous):
        merits, _ = simulate(form, merit, order, failing)
        assert set(merits[1]) == set(range(9)) - failing
        assert len(merits[9]) >= 1


@given(MERITS, st.data())
def test_the_asynchronous_form_promotes_who_is_among_the_best_and_ends_with_one_at_the_end(
    merit: dict[int, float], order: st.DataObject
):
    merits, done = simulate(asynchronous, merit, order)
    assert set(merits[1]) == set(range(9))
    assert merits[9].keys() <= merits[3].keys()
    assert merits[9]
    (best,) = promoted(merit, 9)
    assert best in merits[3], "the best of all is among the best third, whenever it comes"
    for number, (trial, epochs) in enumerate(done):
        before = {other for other, at in done[:number] if at == epochs}
        assert trial not in before


def test_a_trial_goes_on_before_its_rung_is_whole():
    assert asynchronous({1: {0: 0.5, 1: 0.9}}, set(), [])[0] == (2, 1)
    assert asynchronous({1: {0: 0.5, 1: 0.9, 2: 0.1}}, set(), [])[0] == (1, 3)
    assert asynchronous({1: {0: 0.5, 1: 0.9, 2: 0.1}}, set(), [(1, 3)])[0] == (3, 1)
    assert synchronous({1: {0: 0.5, 1: 0.9, 2: 0.1}}, set(), [])[0] == (3, 1)
