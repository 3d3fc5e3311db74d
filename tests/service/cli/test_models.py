"""`atelier models`: aliases, comparing, promoting."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from service.cli import command
from service.home import Home
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.models import draft, publish, with_accuracy

MADE = draft("mlp")
DIGITS = replace(MADE, dataset="digits", lineage={**MADE.lineage, "data": "d" * 64})


@pytest.fixture
def say(home: Home, capsys) -> Callable[..., tuple[int | str | None, str, str]]:
    """Run `atelier models …` in this process: its status, and what it said."""
    for made in (with_accuracy(MADE, 0.7), with_accuracy(MADE, 0.8), with_accuracy(DIGITS, 0.99)):
        publish(home.models, "a", made)

    def run(*words: str) -> tuple[int | str | None, str, str]:
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, ["models", *words])
        return left.value.code, *capsys.readouterr()

    return run


def test_an_alias_is_set_and_removed(say) -> None:
    assert say("alias", "a", "staging", "2")[1] == "a: staging is version 2\n"
    assert say("alias", "a", "staging", "--remove")[1] == "a: staging is removed\n"
    status, _, message = say("alias", "a", "staging", "--remove")
    assert (status, message) == (1, "atelier: model 'a' has no alias 'staging' (aliases: champion)\n")


@pytest.mark.parametrize("words", [(), ("2", "--remove")])
def test_an_alias_takes_a_version_or_is_removed(say, words: tuple[str, ...]) -> None:
    status, _, message = say("alias", "a", "staging", *words)
    assert (status, message) == (2, "atelier: give either a VERSION for the alias, or --remove\n")


def test_the_best_is_promoted_on_one_data_set(say) -> None:
    assert say("promote", "a")[1] == "a: champion is version 2, test_accuracy 0.8000 on fashion-mnist\n"
    promoted = say("promote", "a", "--dataset", "digits", "--alias", "best")
    assert promoted[1] == "a: best is version 3, test_accuracy 0.9900 on digits\n"


def test_models_are_compared_with_their_data_sets(say) -> None:
    lines = say("compare", "a:1", "a:3")[1].splitlines()
    assert lines[1].split() == ["data", "set", "fashion-mnist", "digits"]
    assert lines[-1] == "They were measured on different data: their test figures can't be compared."
    assert "measured on different data" not in say("compare", "a:1", "a:2")[1]


def test_a_figure_that_one_of_them_lacks_is_left_open(say, home: Home) -> None:
    held = {"examples": 5, "loss": 0.1, "accuracy": 0.9}
    publish(home.models, "b", draft("mlp", metrics={**MADE.metrics, "validation": held}))
    for words in (("a:1", "b:1"), ("b:1", "a:1")):
        rows = {line[:16].strip(): line[16:].split() for line in say("compare", *words)[1].splitlines()}
        assert sorted(rows["validation loss"]) == ["-", "0.1000"]
