"""Proxies that the environment names: never on the way to this machine, and one line about one that can't be used."""

from collections.abc import MutableMapping
from typing import TYPE_CHECKING, Any

from service.errors import InvalidInput

if TYPE_CHECKING:
    import httpx

LOOPBACK = ("127.0.0.1", "localhost", "::1")
"""Hosts that are asked directly."""


def bypass_loopback(environment: MutableMapping[str, str]) -> None:
    """Have every library that goes by `NO_PROXY` ask this machine directly; what the user excepts stays excepted."""
    excepted = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
    hosts = [host.strip() for host in excepted.split(",") if host.strip()]
    for name in ("NO_PROXY", "no_proxy"):
        environment[name] = ",".join([*hosts, *(host for host in LOOPBACK if host not in hosts)])


def http_client(**settings: Any) -> "httpx.Client":
    """An HTTP client that goes by the environment's proxies.

    Args:
        settings: Those of `httpx.Client`.

    Raises:
        InvalidInput: No client can be made with a proxy of that kind.
    """
    import httpx  # here, since it takes as long as all of a command that only reads

    try:
        return httpx.Client(**settings)
    except (ImportError, ValueError, httpx.InvalidURL) as error:  # a package is missing, there is no such kind, no URL
        raise InvalidInput(f"the proxy that the environment names can't be used: {error}") from None
