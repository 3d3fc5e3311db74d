"""The brackets of Hyperband, against the paper's table and what must hold for any."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.search.sweep import Sweep
from service.search.sweep.brackets import Bracket, hyperband_brackets, hyperband_trials


def test_brackets_have_the_numbers_of_the_papers_table():
    """Table 1 of Li et al. 2018, with R = 81 and a factor of 3: 81, 34, 15, 8 and 5 trials."""
    assert hyperband_trials(81, 1, 3) == 81 + 34 + 15 + 8 + 5
    brackets = hyperband_brackets(143, 81, 1, 3)
    assert [(len(bracket.trials), bracket.rungs[0]) for bracket in brackets] == [
        (81, 1), (34, 3), (15, 9), (8, 27), (5, 81),
    ]  # fmt: skip
    assert all(bracket.rungs[-1] == 81 for bracket in brackets)


@given(st.integers(1, 100), st.integers(1, 5), st.integers(2, 4), st.integers(0, 200))
def test_every_trial_is_in_one_bracket_and_none_is_empty(epochs: int, min_epochs: int, factor: int, more: int):
    least = len(hyperband_brackets(1000, epochs, min_epochs, factor))
    brackets = hyperband_brackets(least + more, epochs, min_epochs, factor)
    assert [trial for bracket in brackets for trial in bracket.trials] == list(range(least + more))
    assert all(bracket.trials for bracket in brackets)


def test_a_sweep_takes_as_many_draws_as_the_paper_says_or_as_are_wanted():
    base = {"holdout": 100, "epochs": 9}
    sweep = Sweep(base=base, over={"optimizer.lr": [0.1, 0.2]}, halving=3, hyperband=True)
    assert len(sweep.plan()) == 9 + 5 + 3
    fewer = sweep.model_copy(update={"trials": 6})
    assert [len(bracket.trials) for bracket in fewer.brackets()] == [3, 2, 1]
    assert Sweep(base=base, over={"seed": [1, 2]}).brackets() == [Bracket((0, 1), (9,))]


@pytest.mark.parametrize(("name", "value"), [("hyperband", True), ("asynchronous", True)])
def test_options_that_are_used_are_written_down(name: str, value: bool, tmp_path):
    from service.errors import Conflict
    from service.search.sweep import SweepFolder

    plain = Sweep(base={"holdout": 9, "epochs": 4}, over={"optimizer.lr": [0.1, 0.2]}, halving=2, trials=5)
    SweepFolder.begin(tmp_path / "mine", plain)
    SweepFolder.begin(tmp_path / "mine", plain)
    assert name not in (tmp_path / "mine" / "sweep.json").read_text()
    with pytest.raises(Conflict):
        SweepFolder.begin(tmp_path / "mine", plain.model_copy(update={name: value}))
