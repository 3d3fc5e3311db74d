"""Everything that can be wrong with a description is told in one line, with the place and what was expected there."""

import json
from pathlib import Path

import pytest

from ops.errors import OpsError
from service.config import TrainConfig, from_preset
from service.errors import InvalidInput
from service.networks import Description
from service.networks.building import MOST_PARAMETERS, MOST_VALUES, build
from service.networks.fields import fields_of
from service.networks.reading import LONGEST, MOST_LAYERS
from service.networks.sources import network_from


def layers(*items: str) -> str:
    """A description whose layers are these."""
    return f'name = "mine"\nlayers = [{", ".join(items)}]'


CONV = "{ conv2d = { channels = 4, kernel_size = 3 } }"
DENSE = '{ dense = { units = "classes" } }'

READ = {
    "no TOML": ("layers = [", "the description is not TOML that can be read: "),
    "no JSON": ('{"name": "mine", ', "the description is not JSON that can be read: "),
    "a key twice": ('name = "a"\nname = "b"', "the description is not TOML that can be read: "),
    "too long": ("#" * (LONGEST + 1) + "=", f"a description must have at most {LONGEST:,} bytes, got {LONGEST + 2:,}"),
    "brackets without end": ("layers = " + "[" * 100_000, "the description is "),
    "braces without end": ('{"layers": ' + "[" * 100_000, "the description is nested too deeply"),
    "unknown key": ('name = "mine"\ninput = 3', "a description takes name, initializer, layers; got input"),
    "no name": ('layers = ["relu"]', "name must be lower-case letters, digits, dots and dashes, at most 64, got None"),
    "bad name": ('name = "My net"\nlayers = ["relu"]', "name must be lower-case letters"),
    "name with a line end": ('name = "mine\\n"\nlayers = ["relu"]', "name must be lower-case letters"),
    "no text as name": ('name = 3\nlayers = ["relu"]', "name must be lower-case letters"),
    "unknown initializer": (
        'name = "mine"\ninitializer = "orthogonal"\nlayers = ["relu"]',
        "initializer must be one of xavier, he, zeros, got 'orthogonal'",
    ),
    "no text as initializer": ('name = "a"\ninitializer = 1\nlayers = ["relu"]', "initializer must be one of"),
    "no layers": ('name = "mine"', "layers must be a list with at least one layer, got None"),
    "empty layers": (layers(), "layers must be a list with at least one layer, got []"),
    "layers no list": ('name = "mine"\nlayers = "relu"', "layers must be a list with at least one layer, got 'relu'"),
    "unknown layer": (layers('"conv"'), "layers[0] must be one of adaptiveavgpool2d, "),
    "layer in capitals": (layers('"ReLU"'), "got 'ReLU'; did you mean relu?"),
    "layer no name": (layers("3"), "layers[0] must be a layer's name or its name with its fields, such as {"),
    "layer a list": (layers('"relu"', '["relu"]'), "layers[1] must be a layer's name or its name with its fields"),
    "two layers in one": (layers("{ relu = {}, tanh = {} }"), "layers[0] must be a layer's name or its name with its"),
    "fields no table": (layers("{ dense = 10 }"), "layers[0] must be a layer's name or its name with its fields"),
    "unknown field": (
        layers('"relu"', '"relu"', '"relu"', "{ maxpool2d = { window = 2 } }"),
        f"layers[3]: maxpool2d takes {', '.join(fields_of(__import__('ops').MaxPool2D))}; got window",
    ),
    "field of a layer without": (layers("{ relu = { slope = 1 } }"), "layers[0]: relu takes nothing; got slope"),
    "missing field": (layers("{ conv2d = { channels = 4 } }"), "layers[0]: conv2d needs kernel_size; got channels"),
    "missing fields": (layers('"conv2d"'), "layers[0]: conv2d needs channels, kernel_size; got nothing"),
    "a word as number": (layers("{ dense = { units = 'ten' } }"), "layers[0]: dense.units must be a whole number, got"),
    "a fraction as number": (layers("{ dense = { units = 9.5 } }"), "dense.units must be a whole number, got 9.5"),
    "true as number": (layers("{ dense = { units = true } }"), "dense.units must be a whole number, got True"),
    "a number as switch": (layers("{ dense = { units = 9, bias = 0 } }"), "dense.bias must be true or false, got 0"),
    "no number at all": (layers("{ dropout = { rate = nan } }"), "layers[0]: dropout.rate must be a number, got nan"),
    "a rate of one": (layers("{ dropout = { rate = 1 } }"), "layers[0]: dropout: rate must be in [0, 1), got 1"),
    "a date": (layers("{ dropout = { rate = 2026-01-01 } }"), "layers[0]: dropout.rate must be a number, got datetime"),
    "three for a pair": (
        layers("{ conv2d = { channels = 4, kernel_size = [3, 3, 3] } }"),
        "layers[0]: conv2d: kernel_size must be an int or a pair of ints, got (3, 3, 3)",
    ),
    "a table for a pair": (layers("{ maxpool2d = { size = {} } }"), "maxpool2d.size must be a whole number or a list"),
    "a window of nothing": (layers("{ maxpool2d = { size = 0 } }"), "layers[0]: maxpool2d: size must be >= 1 in both"),
    "no units": (layers("{ dense = { units = 0 } }"), "layers[0]: dense: units must be an int >= 1, got 0"),
    "groups that do not divide": (
        layers("{ conv2d = { channels = 4, kernel_size = 3, groups = 3 } }"),
        "layers[0]: conv2d: channels must be a multiple of groups 3, got 4",
    ),
    "a block without a body": (layers('"residual"'), "layers[0]: residual needs body; got nothing"),
    "an empty body": (
        layers("{ residual = { body = [] } }"),
        "layers[0]: residual: Residual's body must have at least one layer",
    ),
    "a body no list": (
        layers('{ residual = { body = "relu" } }'),
        "residual.body must be a list of layers, got 'relu'",
    ),
    "branches no lists": (layers('{ concat = { branches = ["relu"] } }'), "branches must be a list of lists of layers"),
    "a bad layer in a body": (
        layers('{ residual = { body = ["relu", { conv2d = { channels = 3 } }] } }'),
        "layers[0].body[1]: conv2d needs kernel_size; got channels",
    ),
    "a bad layer in a branch": (
        layers('"relu"', '{ concat = { branches = [["relu"], ["relu", "rely"]] } }'),
        "layers[1].branches[1][1] must be one of ",
    ),
    "blocks too deep": (
        layers("{ residual = { body = [" * 9 + '"relu"' + "] } }" * 9),
        f"layers[0]{'.body[0]' * 8}.body: blocks must not lie deeper than 8 in one another",
    ),
    "too many layers": (
        layers(*['"relu"'] * (MOST_LAYERS + 1)),
        f"a network must have at most {MOST_LAYERS:,} layers, got {MOST_LAYERS + 1:,}",
    ),
}

BUILT = {
    "not flat": (layers(CONV, DENSE), "layers[1]: Dense needs a flat input, got (4, 26, 26): put Flatten() before it"),
    "flat too early": (layers('"flatten"', CONV, DENSE), "layers[1]: Conv2D needs an input of shape (c, h, w), got "),
    "too small": (layers(*[CONV] * 14, '"flatten"', DENSE), "layers[13]: kernel_size (3, 3) with dilation (1, 1) must"),
    "groups of one channel": (
        layers("{ conv2d = { channels = 4, kernel_size = 3, groups = 2 } }", '"flatten"', DENSE),
        "layers[0]: Conv2D with in_channels=None and groups=2 can't take 1 input channels",
    ),
    "other channels": (
        layers("{ conv2d = { channels = 4, kernel_size = 3, in_channels = 3 } }", '"flatten"', DENSE),
        "layers[0]: Conv2D with in_channels=3 and groups=1 can't take 1 input channels",
    ),
    "other classes": (
        layers('"flatten"', "{ dense = { units = 84 } }"),
        "layers must end in 10 numbers, one for each class, got 84: end with { dense = ",
    ),
    "planes at the end": (layers("{ conv2d = { channels = 10, kernel_size = 28 } }"), "got 10x1x1: end with"),
    "a body of another shape": (
        layers("{ residual = { body = [{ conv2d = { channels = 8, kernel_size = 3 } }] } }", '"flatten"', DENSE),
        "layers[0]: Residual's body and shortcut must put out one shape, got (8, 26, 26) and (1, 28, 28)",
    ),
    "too small in a body": (
        layers('{ concat = { branches = [["relu"], ["tanh", { maxpool2d = { size = 99 } }]] } }', '"flatten"', DENSE),
        "layers[0].branches[1][1]: size (99, 99) must fit in the padded input (28, 28)",
    ),
    "a huge image in a body": (
        layers("{ residual = { body = [{ resize = { size = 99999 } }, { resize = { size = 28 } }] } }", DENSE),
        f"layers[0].body[0]: a layer must make at most {MOST_VALUES:,} numbers of an example, got 1x99999x99999",
    ),
    "parameters without end": (
        layers('"flatten"', "{ dense = { units = 1000000000000 } }", DENSE),
        f"layers[1]: a network must have at most {MOST_PARAMETERS:,} parameters, got 785,000,000,000,000",
    ),
    "parameters in sum": (
        layers('"flatten"', *["{ dense = { units = 12000 } }"] * 3, DENSE),
        f"layers[3]: a network must have at most {MOST_PARAMETERS:,} parameters, got 297,444,000",
    ),
    "a huge image": (
        layers("{ resize = { size = 100000 } }", '"flatten"', DENSE),
        f"layers[0]: a layer must make at most {MOST_VALUES:,} numbers of an example, got 1x100000x100000",
    ),
    "a huge margin": (
        layers("{ conv2d = { channels = 1, kernel_size = 9, stride = 99999, padding = 99999 } }", '"flatten"', DENSE),
        f"layers[0]: a layer must make at most {MOST_VALUES:,} numbers of an example, got 1x200026x200026",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_a_bad_description_gets_one_line_with_the_place_and_what_was_expected(case: str, tmp_path: Path):
    text, message = READ[case]
    with pytest.raises(InvalidInput) as refusal:
        Description.parse(text)
    said = str(refusal.value)
    assert message in said
    assert "\n" not in said
    assert len(said) < 400
    with pytest.raises(InvalidInput) as in_configuration:
        from_preset({"model": text})
    assert str(in_configuration.value) == f"model: {said}"
    if case != "too long":
        path = tmp_path / "mine.toml"
        path.write_text(text)
        with pytest.raises(InvalidInput) as in_file:
            network_from(str(path), lambda: ((1, 28, 28), 10))
        assert str(in_file.value) == f"{path}: {said}"


@pytest.mark.parametrize("case", BUILT)
def test_a_network_that_does_not_fit_gets_one_line_with_the_place_too(case: str):
    text, message = BUILT[case]
    with pytest.raises(OpsError) as refusal:
        build(Description.parse(text), (1, 28, 28), 10)
    assert message in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_there_are_cases_enough():
    assert len(READ) + len(BUILT) >= 30


@pytest.mark.parametrize(("content", "message"), [(b"\xff\xfe", "not text in UTF-8"), (None, "No such file")])
def test_a_file_that_cannot_be_read_is_named(content: bytes | None, message: str, tmp_path: Path):
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InvalidInput, match=f"^{path} can't be read: .*{message}"):
        network_from(str(path), lambda: ((1, 28, 28), 10))


def test_a_file_that_is_too_long_is_not_read(tmp_path: Path):
    path = tmp_path / "mine.toml"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # sparse: a terabyte of nothing
    with pytest.raises(InvalidInput, match="a description must have at most"):
        network_from(str(path), lambda: ((1, 28, 28), 10))


def test_a_file_without_end_is_not_read_to_its_end():
    with pytest.raises(InvalidInput, match=f"^/dev/zero: a description must have at most .* got {LONGEST + 1:,}$"):
        network_from("/dev/zero", lambda: ((1, 28, 28), 10))


def test_data_of_any_kind_are_refused_or_taken_but_never_a_traceback():
    odd = [None, True, 3, 2.5, "x", [], {}, [[]], {"a": {}}, {"relu": None}, {"conv2d": []}, "classes", float("nan")]
    for first in odd:
        for data in (first, {"name": "a", "layers": first}, {"name": "a", "layers": [first]}):
            with pytest.raises(InvalidInput):
                Description.of(data)
            with pytest.raises(InvalidInput):
                Description.of({"name": "a", "layers": ["relu", {"dropout": {"rate": [data]}}]})


def test_what_was_written_down_is_checked_again_when_it_is_read():
    config = from_preset({"model": layers('"flatten"', DENSE)})
    written = json.loads(config.model_dump_json())
    assert TrainConfig.model_validate(written) == config
    written["model"]["layers"][0] = "flat"
    with pytest.raises(ValueError, match=r"layers\[0\] must be one of"):
        TrainConfig.model_validate(written)
