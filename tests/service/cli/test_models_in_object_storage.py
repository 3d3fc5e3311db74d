"""`atelier models` with ATELIER_MODELS set, and one line for all that can be wrong with it."""

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.cli import command
from service.home import Home
from tests.commands import atelier
from tests.object_storage import new_bucket, serving_objects
from tests.service.cli.test_wrong_use import NOTHING_RUNS
from tests.service.models import draft, publish

Told = tuple[int | str | None, str, str]


@pytest.fixture
def say(home: Home, capfd, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """Run the command in this process: its status, and what it said. Reads what the library prints by itself too."""

    def run(*words: str, models: str) -> Told:
        monkeypatch.setenv("ATELIER_MODELS", models)
        with pytest.raises(SystemExit) as left:
            command(NOTHING_RUNS, list(words))
        return left.value.code, *capfd.readouterr()

    return run


def test_models_are_listed_shown_exported_pointed_at_deleted_and_restored(
    object_storage: str, home: Home, say, tmp_path: Path
) -> None:
    models = new_bucket(object_storage, "commanded")
    for seed in (0, 1):
        publish(models, "flat", draft("mlp", seed))
    done = atelier("models", "list", "--json", home=home.root, ATELIER_MODELS=models)
    assert [(m["version"], m["aliases"]) for m in json.loads(done.stdout)] == [(1, ["champion"]), (2, [])]
    assert f"{models}/flat/2/weights.safetensors" in say("models", "show", "flat:2", models=models)[1]
    target = tmp_path / "flat.onnx"
    assert not say("models", "export", "flat", "--to", "onnx", "--output", str(target), models=models)[0]
    assert target.stat().st_size > 1000
    assert say("models", "alias", "flat", "staging", "2", models=models)[1] == "flat: staging is version 2\n"
    assert say("models", "delete", "flat", "2", models=models)[0] == 1, "staging stands for it"
    assert not say("models", "alias", "flat", "staging", "1", models=models)[0]
    assert say("models", "delete", "flat", "2", models=models)[1] == "flat: version 2 is deleted\n"
    assert say("models", "show", "flat:2", models=models)[0] == 1
    assert say("models", "delete", "flat", "2", "--restore", models=models)[1] == "flat: version 2 is back\n"
    assert "flat version 2" in say("models", "show", "flat:2", models=models)[1]
    assert not home.models.exists()


def failed(told: Told, message: str, status: int = 1) -> None:
    assert (told[0], told[1]) == (status, "")
    assert message in told[2]
    assert told[2].count("\n") == 1, told[2]


def test_a_bucket_that_isnt_there_is_told(object_storage: str, say) -> None:
    for words in (["models", "list"], ["models", "show", "lenet"], ["models", "alias", "lenet", "staging", "1"]):
        failed(say(*words, models="s3://nowhere/models"), "there is no bucket for s3://nowhere/models")


@pytest.mark.parametrize("words", [["models", "list"], ["models", "show", "lenet"], ["train"], ["serve"]])
def test_a_storage_that_doesnt_answer_is_told_before_anything_starts(
    object_storage: str, say, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    start = time.monotonic()
    failed(say(*words, models="s3://any/models"), "can't be reached at http://127.0.0.1:9")
    assert time.monotonic() - start < 120  # the library goes on trying for three minutes


def test_wrong_credentials_are_told(object_storage: str, say, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_objects(INITIAL_NO_AUTH_ACTION_COUNT="1") as endpoint:
        models = new_bucket(endpoint, "locked")
        monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
        for words in (["models", "list"], ["models", "show", "lenet"]):
            failed(say(*words, models=models), "refuses (InvalidAccessKeyId): check AWS_ACCESS_KEY_ID")


def test_missing_credentials_are_told(object_storage: str, say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_METADATA_ENDPOINT", "http://127.0.0.1:9")  # instead of Amazon's, which is no address here
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    failed(say("models", "list", models="s3://any"), "needs credentials: set AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    failed(say("models", "list", models="s3://any"), "needs credentials: set AWS_ACCESS_KEY_ID")


def test_a_missing_extra_is_told_with_what_to_install(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "obstore", None)
    failed(say("models", "list", models="s3://any"), "pip install 'atelier-train[s3]'")


@pytest.mark.parametrize("models", ["ftp://host/models", "s3://", "s3:///models", "s3://Bucket/x", "s3://any/a/../b"])
def test_a_place_that_cant_be_is_wrong_use(say, models: str) -> None:
    failed(say("models", "list", models=models), f"models lie in a folder or at s3://bucket/prefix, got {models!r}", 2)


def test_an_endpoint_without_a_scheme_is_wrong_use(say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "localhost:9000")
    failed(say("models", "list", models="s3://any"), "AWS_ENDPOINT_URL must be an address such as", 2)


def test_models_may_lie_in_another_folder(say, tmp_path: Path) -> None:
    publish(tmp_path / "elsewhere", "flat", draft("mlp"))
    assert "flat version 1" in say("models", "show", "flat", models=str(tmp_path / "elsewhere"))[1]
