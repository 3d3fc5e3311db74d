"""The examples of docs/networks.md are networks."""

import re
from pathlib import Path
from typing import Any

from ops.network import Network
from service.networks import Description
from service.networks.building import build, describe

PAGE = (Path(__file__).parents[2] / "docs" / "networks.md").read_text()


def example(language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def test_the_description_on_the_page_is_a_network_for_pictures_of_any_kind():
    description = Description.parse(example("toml"))
    for shape, classes in (((1, 28, 28), 10), ((3, 32, 32), 100)):
        assert build(description, shape, classes).shapes[-1] == (classes,)


def test_the_function_on_the_page_makes_a_network_that_can_be_described():
    names: dict[str, Any] = {}
    exec(example("python"), names)
    made = names["small"]((1, 28, 28), 10)
    assert isinstance(made, Network)
    assert build(describe(made), (1, 28, 28), 10) == made
