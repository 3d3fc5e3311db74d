"""The real stack of docker-compose.yml under a project name and ports of its own."""

import json
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.clusters import free_port

ROOT = Path(__file__).parents[2]
SERVICES = {"db", "prefect", "scheduler", "worker", "flows", "api"}
HEALTHY_SECONDS = 240


class Stack:
    """Brings the stack up, breaks parts of it, and takes it down with everything that it made."""

    def __init__(self) -> None:
        self.project = f"atelier-test-{secrets.token_hex(3)}"
        ports = [free_port() for _ in range(3)]
        self.prefect, self.gallery, self.dashboard = (f"http://localhost:{port}" for port in ports)
        self._environment = {
            **os.environ,
            "COMPOSE_PROJECT_NAME": self.project,
            "ATELIER_TAG": "test",
            "ATELIER_GALLERY_URL": self.gallery,
            **dict(zip(("PREFECT_PORT", "ATELIER_PORT", "DASHBOARD_PORT"), map(str, ports), strict=True)),
        }

    def compose(self, *words: str, timeout: float = 600) -> str:
        """Run a compose command; its output. Raises AssertionError with what it said where it fails."""
        return _said([*_command(), *words], timeout, self._environment)

    def containers(self, service: str = "") -> list[str]:
        """Ids of the containers of a service, or of all."""
        return self.compose("ps", "-q", *([service] if service else [])).split()

    def wait_until_healthy(self) -> float:
        """Seconds until every container said that it is well."""
        began = time.monotonic()
        while time.monotonic() - began < HEALTHY_SECONDS:
            states = [inspect(container)["State"]["Health"]["Status"] for container in self.containers()]
            if len(states) >= len(SERVICES) and set(states) == {"healthy"}:
                return time.monotonic() - began
            time.sleep(0.5)
        raise AssertionError(f"not healthy after {HEALTHY_SECONDS} s:\n{self.compose('ps')}")

    def memory(self) -> dict[str, str]:
        """What each container takes, by name."""
        lines = docker("stats", "--no-stream", "--format", "{{.Name}} {{.MemUsage}}", *self.containers())
        return {line.split()[0].removeprefix(self.project)[1:]: line.split()[1] for line in lines.splitlines()}

    def leftovers(self) -> list[str]:
        """Containers, volumes and networks of this project that are still there."""
        label = f"label=com.docker.compose.project={self.project}"
        found = [
            docker("ps", "-aq", "--filter", label),
            docker("volume", "ls", "-q", "--filter", label),
            docker("ps", "-aq", "--filter", f"name={self.project}"),
            docker("network", "ls", "-q", "--filter", label),
        ]
        return "\n".join(found).split()


@contextmanager
def running() -> Iterator[Stack]:
    """The stack, built but not yet up, for as long as the block lasts."""
    stack = Stack()
    stack.compose("build", "api", timeout=900)
    try:
        yield stack
    finally:
        stack.compose("down", "--volumes", "--remove-orphans", "--timeout", "5")
        assert stack.leftovers() == []


def docker(*words: str) -> str:
    """Run docker; its output."""
    return _said(["docker", *words], 120, dict(os.environ))


def inspect(container: str) -> dict:
    """What docker knows of a container."""
    found: dict = json.loads(docker("inspect", container))[0]
    return found


def _command() -> list[str]:
    plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
    return ["docker", "compose"] if plugin.returncode == 0 else [shutil.which("docker-compose") or "docker-compose"]


def _said(command: list[str], timeout: float, environment: dict[str, str]) -> str:
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=timeout, check=False
    )
    assert done.returncode == 0, f"{' '.join(command)}: {done.stderr[-2000:]}"
    return done.stdout
