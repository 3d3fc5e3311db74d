import pytest

from service.cli.output import counted, table


def test_columns_are_as_wide_as_their_longest_entry() -> None:
    rows = [("bench-20261123-181500-4f2a-simd", "0.9"), ("short", "10.25")]
    assert table(("run", "loss"), rows, right=["loss"]).splitlines() == [
        "run                               loss",
        "bench-20261123-181500-4f2a-simd    0.9",
        "short                            10.25",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("run", "loss"), [], right=["loss"]) == "run  loss"


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 workers"), (1, "1 worker"), (2, "2 workers"), (1234, "1,234 workers")]
)
def test_one_of_a_kind_is_singular(number: int, shown: str) -> None:
    assert counted(number, "worker") == shown
