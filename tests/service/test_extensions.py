"""Extensions of a kind, as a package of ours and packages of others have them."""

from pathlib import Path

import pytest

from service.errors import InvalidInput
from service.extensions import Extensions
from tests.packages import install

OURS = {
    "__init__": "",
    "__main__": "raise SystemExit('this is a program')",
    "glass": "",
    "green_tea": "def pour(): return 'tea'",
}
OTHERS = {
    "tests.drinks": {"mate": "others:mate", "green-tea": "others:mate", "broken": "others:missing"},
    "tests.food": {"rice": "others:mate"},
}


@pytest.fixture
def drinks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Extensions:
    """Those of a package of ours, and of another one."""
    folder = tmp_path / "ours" / "drinks"
    folder.mkdir(parents=True)
    for name, source in OURS.items():
        (folder / f"{name}.py").write_text(source)
    monkeypatch.syspath_prepend(tmp_path / "ours")
    install(tmp_path, monkeypatch, "others", "mate = 'mate'", OTHERS)
    return Extensions("drink", "drinks", "pour", "tests.drinks")


def test_what_has_the_function_is_one_and_its_name_has_dashes(drinks: Extensions):
    assert list(drinks.own) == ["green-tea"]
    assert drinks.own["green-tea"].pour() == "tea"


def test_all_names_are_told_in_order_each_once(drinks: Extensions):
    assert drinks.names() == ["broken", "green-tea", "mate"]


def test_one_is_found_by_its_name_and_ours_first(drinks: Extensions):
    assert drinks.find("mate") == "mate"
    assert drinks.find("green-tea").pour() == "tea"
    for unknown in ("green_tea", "glass", "rice"):
        assert drinks.find(unknown) is None


def test_one_that_cannot_be_imported_is_told(drinks: Extensions):
    for look in (lambda: drinks.find("broken"), lambda: dict(drinks.all())):
        with pytest.raises(InvalidInput, match=r"^drink 'broken' can't be imported: .*missing"):
            look()


def test_ours_come_before_any_of_others_is_imported(drinks: Extensions):
    assert next(drinks.all())[0] == "green-tea"
