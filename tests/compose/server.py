"""Prefect's REST API, as far as a test of the stack asks it."""

import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx

ANSWER_SECONDS = 120
"""How long the server may fail to answer."""

ENDED = {"COMPLETED", "FAILED", "CANCELLED"}


class Server:
    """A Prefect server at an address. A context manager."""

    def __init__(self, address: str) -> None:
        self._http = httpx.Client(base_url=f"{address}/api", timeout=30)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def deployment(self, name: str) -> str:
        """The id of a deployment, given as `flow/name`."""
        return self._answer("GET", f"/deployments/name/{name}")["id"]

    def start(self, deployment: str, parameters: dict[str, Any]) -> str:
        """Ask for a flow run; its id."""
        path = f"/deployments/{self.deployment(deployment)}/create_flow_run"
        asked = {"parameters": parameters, "idempotency_key": uuid4().hex}  # so that asking again starts no other
        return self._answer("POST", path, json=asked)["id"]

    def newest(self) -> str:
        """The flow run that was asked for last."""
        return self._answer("POST", "/flow_runs/filter", json={"sort": "EXPECTED_START_TIME_DESC", "limit": 1})[0]["id"]

    def flow_run(self, flow_run: str) -> dict[str, Any]:
        return self._answer("GET", f"/flow_runs/{flow_run}")

    def state(self, flow_run: str) -> str:
        """The name of the state, e.g. `Running` or `AwaitingConcurrencySlot`."""
        return self.flow_run(flow_run)["state"]["name"]

    def cancel(self, flow_run: str) -> None:
        """What the button in the UI does."""
        self._answer("POST", f"/flow_runs/{flow_run}/set_state", json={"state": {"type": "CANCELLING"}})

    def artifacts(self, flow_run: str) -> dict[str, dict[str, Any]]:
        """The artifacts of a flow run by what their keys end in: progress, epochs, curve, report."""
        asked = {"artifacts": {"flow_run_id": {"any_": [flow_run]}}}
        found = self._answer("POST", "/artifacts/filter", json=asked)
        named = {artifact["key"].rpartition("-")[2]: artifact for artifact in found}
        kinds = {"epochs", "curve", "report"}
        return {name if name in kinds else "progress": artifact for name, artifact in named.items()}

    def progress(self, flow_run: str) -> float:
        """Percent of the rounds that are done."""
        shown = self.artifacts(flow_run).get("progress")
        return float(shown["data"]) if shown else 0.0

    def messages(self, flow_run: str) -> list[str]:
        """The log of a flow run."""
        asked = {"logs": {"flow_run_id": {"any_": [flow_run]}}, "sort": "TIMESTAMP_ASC", "limit": 200}
        return [line["message"] for line in self._answer("POST", "/logs/filter", json=asked)]

    def wait_for_end(self, flow_run: str, seconds: float) -> str:
        """The state that a flow run ends in."""
        until(lambda: self.flow_run(flow_run)["state"]["type"] in ENDED, seconds, "the flow run ends")
        return self.state(flow_run)

    def _answer(self, method: str, path: str, **more: Any) -> Any:
        """What the server says. A busy machine's database keeps it waiting until it gives up: it is asked again."""
        began = time.monotonic()
        while True:
            try:
                answer = self._http.request(method, path, **more)
                answer.raise_for_status()
                return answer.json()
            except (httpx.TransportError, httpx.HTTPStatusError) as error:
                refused = isinstance(error, httpx.HTTPStatusError) and not error.response.is_server_error
                if refused or time.monotonic() - began > ANSWER_SECONDS:
                    raise
                time.sleep(1)


def until(happens: Callable[[], bool], seconds: float, what: str) -> float:
    """Seconds until something happened. Raises AssertionError where it doesn't in time."""
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < seconds, f"{what}: not within {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - began
