import pytest

from service.errors import InvalidInput
from service.model_ref import ModelRef


@pytest.mark.parametrize(
    ("text", "name", "version"),
    [
        ("lenet", "lenet", "champion"),
        ("lenet:", "lenet", "champion"),
        ("lenet:3", "lenet", "3"),
        ("lenet:staging", "lenet", "staging"),
    ],
)
def test_a_model_is_named_with_or_without_a_version(text: str, name: str, version: str) -> None:
    ref = ModelRef.parse(text)
    assert (ref.name, ref.version) == (name, version)
    assert ModelRef.parse(str(ref)) == ref


@pytest.mark.parametrize("text", ["", ":3", "a:b:c", "a" * 131], ids=["empty", "no name", "two colons", "too long"])
def test_what_names_no_model_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="a model is named as name"):
        ModelRef.parse(text)
