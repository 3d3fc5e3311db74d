"""Whether the Prefect server that `PREFECT_API_URL` names answers."""

from time import monotonic, sleep

import httpx

from service.environment.proxies import http_client
from service.errors import AtelierError, InvalidInput

READY_SECONDS = 10.0
"""How long it may take to answer for the first time."""


def wait_until_ready(address: str) -> None:
    """Return as soon as the server that `PREFECT_API_URL` names answers; Prefect's own client would try for minutes.

    Args:
        address: That address. What it answers apart from errors of a server or a proxy is for Prefect to judge.

    Raises:
        AtelierError: It doesn't answer, or only with such errors.
        InvalidInput: It is no address.
    """
    deadline = monotonic() + READY_SECONDS
    with http_client(timeout=READY_SECONDS) as client:
        while True:
            try:
                status = client.get(f"{address.rstrip('/')}/health").status_code
            except (httpx.InvalidURL, httpx.UnsupportedProtocol) as error:
                raise InvalidInput(f"PREFECT_API_URL must be an address, got {address!r}: {error}") from None
            except httpx.HTTPError as error:
                if "CERTIFICATE" in str(error):  # Prefect's settings may say which one to trust
                    return
                problem = f"no Prefect server answers at {address}: {error or type(error).__name__}"
            else:
                if status < 500:
                    return
                problem = f"the Prefect server at {address} answers {status}"
            if monotonic() > deadline:
                raise AtelierError(f"{problem}; without PREFECT_API_URL the command starts a server of its own")
            sleep(0.5)
