"""What the page on averaging and the command line say of strategies is what they do."""

import re
from pathlib import Path
from typing import Any

import pytest

from service.config import AveragingConfig
from service.rounds.strategies import names
from service.rounds.strategies.registry import OF_EVERY_STRATEGY, unread_options

PAGE = (Path(__file__).parents[2] / "docs" / "averaging.md").read_text()

ROW = re.compile(r"^\| `([a-z-]+)` \| .* \| ([^|]*) \|$", re.MULTILINE)

OTHER: dict[str, Any] = {
    "average_every": 7,
    "solo_share": 0.5,
    "outer_lr": 0.5,
    "outer_momentum": 0.5,
    "first_average_every": 3,
    "target_dispersion": 1e-6,
    "velocity": "reset",
    "solo_steps": 7,
    "solo_loss": 1.5,
}
"""A value of each option that isn't the default."""

READS = dict(ROW.findall(PAGE.partition("| `--strategy` | is | reads |")[2].partition("\n\n")[0]))


def test_the_page_and_the_help_name_every_strategy():
    assert set(READS) == set(names())
    description = AveragingConfig.model_fields["strategy"].description
    assert description is not None
    assert all(name in description for name in names())


@pytest.mark.parametrize("name", names())
def test_a_strategy_reads_the_options_that_the_page_says(name: str):
    assert set(OTHER) | set(OF_EVERY_STRATEGY) == set(AveragingConfig.model_fields)
    config = AveragingConfig(strategy=name, **OTHER)
    read = set(OTHER) - set(unread_options(config, OTHER))
    written = {option.replace("-", "_") for option in re.findall(r"`--([a-z-]+)`", READS[name])}
    assert read == (set(OTHER) if READS[name] == "all of them" else written)
