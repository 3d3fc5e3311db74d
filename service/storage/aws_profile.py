"""The settings of a profile in `~/.aws`, as Amazon's own tools keep them: keys, session token, region, endpoint.

The library that speaks S3 takes what the environment names, and asks for the role of an instance or a container by
itself. It doesn't read profiles.
"""

from collections.abc import Mapping
from configparser import ConfigParser, Error
from pathlib import Path

from service.errors import StorageError

SETTINGS = {
    "aws_access_key_id": "AWS_ACCESS_KEY_ID",
    "aws_secret_access_key": "AWS_SECRET_ACCESS_KEY",
    "aws_session_token": "AWS_SESSION_TOKEN",
    "region": "AWS_REGION",
    "endpoint_url": "AWS_ENDPOINT_URL",
}
"""What is taken from a profile, and the variable of the environment that goes before it."""


def profile_settings(environment: Mapping[str, str]) -> dict[str, str]:
    """The settings of the profile that `AWS_PROFILE` names, without those that the environment has itself.

    Without `AWS_PROFILE` it is the profile `default`, if there is one. A key in the environment goes before all keys of
    a profile.

    Raises:
        StorageError: Where there is no such profile, or it has no key of its own.
    """
    name = environment.get("AWS_PROFILE", "")
    found = _read(environment, name or "default")
    if name and not found:
        raise StorageError(f"there is no profile {name!r} in ~/.aws: check AWS_PROFILE")
    has_own_key = bool(environment.get("AWS_ACCESS_KEY_ID"))
    if name and not has_own_key and "aws_access_key_id" not in found:
        raise StorageError(
            f"profile {name!r} has no access key of its own: export one, e.g. with `aws configure export-credentials`"
        )
    if has_own_key:
        found = {key: value for key, value in found.items() if not key.startswith("aws_")}
    default_region = "region" in found and bool(environment.get("AWS_DEFAULT_REGION"))
    return {
        key: value
        for key, value in found.items()
        if key in SETTINGS and not environment.get(SETTINGS[key]) and not (key == "region" and default_region)
    }


def _read(environment: Mapping[str, str], name: str) -> dict[str, str]:
    """All settings of a profile, from the file of credentials and the file of configuration; empty for none."""
    folder = Path("~/.aws").expanduser()
    files = (
        (environment.get("AWS_CONFIG_FILE") or folder / "config", name if name == "default" else f"profile {name}"),
        (environment.get("AWS_SHARED_CREDENTIALS_FILE") or folder / "credentials", name),
    )
    found: dict[str, str] = {}
    for path, section in files:
        parser = ConfigParser(interpolation=None)
        try:
            parser.read(Path(path).expanduser(), encoding="utf-8")
        except (Error, OSError, UnicodeDecodeError):
            raise StorageError(f"{path} can't be read as Amazon's tools write it") from None
        if parser.has_section(section):
            found |= dict(parser[section])
    return found
