"""Whether anybody answers at a scheduler's address."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from distributed import Security
from distributed.comm import connect

from service.errors import ClusterError

SETTINGS = "DASK_DISTRIBUTED__COMM__TLS__CA_FILE, …__CLIENT__CERT and …__CLIENT__KEY"


def is_answering(address: str, seconds: float) -> bool:
    """Whether a scheduler greets within a time limit. Dask's client would wait for a frozen one's greeting for ever.

    Raises:
        ClusterError: the address wants TLS and Dask has no certificate for it, or the other way round.
    """
    arguments = _connection_arguments(address)

    async def greet() -> None:
        comm = await asyncio.wait_for(connect(address, timeout=seconds, **arguments), seconds)
        await comm.close()

    try:
        with ThreadPoolExecutor(1) as thread:  # there may be an event loop in this one
            thread.submit(asyncio.run, greet()).result()
    except OSError:
        return False
    return True


def why_no_answer(address: str, seconds: float) -> str:
    """One line for people about a scheduler that didn't answer in time."""
    refused = "; it may also refuse this certificate" if address.startswith("tls://") else ""
    return f"no Dask scheduler answers at {address} within {seconds} s{refused}"


def _connection_arguments(address: str) -> dict[str, Any]:
    """What Dask connects with, by its configuration."""
    try:
        arguments: dict[str, Any] = Security().get_connection_args("client")
    except OSError as error:
        raise ClusterError(f"the files that {SETTINGS} name can't be used: {error}") from None
    is_encrypted = address.startswith("tls://")
    if is_encrypted and arguments.get("ssl_context") is None:
        raise ClusterError(f"{address} takes TLS alone: set {SETTINGS}")
    if not is_encrypted and arguments.get("require_encryption"):
        raise ClusterError(f"Dask is configured to require encryption, but {address} has none: name it tls://…")
    return arguments
