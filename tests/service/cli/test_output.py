from service.cli.output import table


def test_columns_are_as_wide_as_their_longest_entry() -> None:
    rows = [("bench-20261123-181500-4f2a-simd", "0.9"), ("short", "10.25")]
    assert table(("run", "loss"), rows, right=["loss"]).splitlines() == [
        "run                               loss",
        "bench-20261123-181500-4f2a-simd    0.9",
        "short                            10.25",
    ]


def test_a_table_without_rows_is_its_head() -> None:
    assert table(("run", "loss"), [], right=["loss"]) == "run  loss"
