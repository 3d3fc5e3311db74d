"""Profiles, as `aws configure` writes them, and what the environment has to say beside them."""

from pathlib import Path

import pytest

from service.errors import StorageError
from service.storage import open_storage
from service.storage.aws_profile import profile_settings
from tests.object_storage import KEYS, new_bucket, serving_objects

CREDENTIALS = """
[default]
aws_access_key_id = default-key
aws_secret_access_key = default-secret%with-sign
[lab]
aws_access_key_id = lab-key
aws_secret_access_key = lab-secret
aws_session_token = lab-token
"""
CONFIG = """
[default]
region = eu-west-1
[profile lab]
region = eu-central-1
endpoint_url = http://localhost:9
output = json
[profile roles]
role_arn = arn:aws:iam::1:role/x
source_profile = lab
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "credentials").write_text(CREDENTIALS)
    (tmp_path / "config").write_text(CONFIG)
    return {
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "credentials"),
        "AWS_CONFIG_FILE": str(tmp_path / "config"),
    }


def test_a_named_profile_gives_its_keys_token_region_and_endpoint(environment: dict[str, str]) -> None:
    assert profile_settings({**environment, "AWS_PROFILE": "lab"}) == {
        "aws_access_key_id": "lab-key",
        "aws_secret_access_key": "lab-secret",
        "aws_session_token": "lab-token",
        "region": "eu-central-1",
        "endpoint_url": "http://localhost:9",
    }


def test_without_a_name_it_is_the_default_profile(environment: dict[str, str]) -> None:
    found = profile_settings(environment)
    assert (found["aws_access_key_id"], found["region"]) == ("default-key", "eu-west-1")
    assert found["aws_secret_access_key"] == "default-secret%with-sign"


def test_the_environment_goes_before_a_profile(environment: dict[str, str]) -> None:
    own = {**environment, "AWS_PROFILE": "lab", "AWS_ACCESS_KEY_ID": "mine", "AWS_SECRET_ACCESS_KEY": "mine"}
    assert profile_settings(own) == {"region": "eu-central-1", "endpoint_url": "http://localhost:9"}
    assert profile_settings({**own, "AWS_REGION": "us-east-1", "AWS_ENDPOINT_URL": "http://localhost:1"}) == {}
    assert "region" not in profile_settings({**own, "AWS_DEFAULT_REGION": "us-east-1"})


def test_without_files_there_is_nothing(tmp_path: Path) -> None:
    nowhere = {"AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "a"), "AWS_CONFIG_FILE": str(tmp_path / "b")}
    assert profile_settings(nowhere) == {}


@pytest.mark.parametrize(
    ("name", "message"), [("nobody", "there is no profile 'nobody'"), ("roles", "no access key of its own")]
)
def test_a_profile_that_cannot_serve_is_told(environment: dict[str, str], name: str, message: str) -> None:
    with pytest.raises(StorageError, match=message):
        profile_settings({**environment, "AWS_PROFILE": name})


def test_a_damaged_file_is_told(environment: dict[str, str]) -> None:
    Path(environment["AWS_CONFIG_FILE"]).write_text("no section\n")
    with pytest.raises(StorageError, match="can't be read as Amazon's tools write it"):
        profile_settings(environment)


def test_a_storage_is_opened_with_a_profile_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serving_objects() as endpoint:
        for name in (*KEYS, "AWS_ENDPOINT_URL"):
            monkeypatch.delenv(name, raising=False)
        settings = f"[tests]\naws_access_key_id = tests\naws_secret_access_key = tests\nendpoint_url = {endpoint}\n"
        (tmp_path / "credentials").write_text(f"{settings}region = us-east-1\n")
        monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
        monkeypatch.setenv("AWS_PROFILE", "tests")
        storage = open_storage(new_bucket(endpoint, "profiled"))
        storage.write("lenet/aliases.json", b"one", None)
        assert storage.read("lenet/aliases.json").content == b"one"
