"""Hosts that share nothing but a network: network namespaces, joined by a switch that may be as bad as one likes.

Each host has an address, and a folder of its own in the place where the others have theirs (see `Network.start`).
"""

import ctypes
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from itertools import count
from pathlib import Path
from typing import IO

from tests.hosts.switch import Link

ROOT = Path(__file__).parents[2]
_numbers = count()
CLONE_NEWNET = 0x40000000


def why_no_hosts() -> str:
    """What is missing here for hosts of one's own; empty where nothing is."""
    if os.getuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip"):
        return "there is no `ip` (iproute2)"
    name = f"atelier-{os.getpid()}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, text=True)
    if made.returncode == 0:
        made = subprocess.run(
            ["ip", "-n", name, "link", "add", "name", "eth0", "type", "veth"], capture_output=True, text=True
        )
        subprocess.run(["ip", "netns", "delete", name], check=True)
    return f"the kernel makes no network namespaces: {made.stderr.strip()}" if made.returncode else ""


class Network:
    """Some hosts and the switch between them.

    Attributes:
        addresses: of the hosts, by name.
    """

    def __init__(self, hosts: list[str], folder: Path) -> None:
        """Name the hosts; `open` makes them.

        Args:
            hosts: their names.
            folder: where each host has files of its own. The host that is named first sees those of this machine.
        """
        self.addresses = {host: f"10.77.0.{number}" for number, host in enumerate(hosts, 1)}
        self.folder = folder
        self._first = hosts[0]
        self._number = next(_numbers)
        self._switch: subprocess.Popen[str] | None = None
        self._processes: list[subprocess.Popen[str]] = []

    def start(self, host: str, *words: str, log: IO[str] | None = None, **more: str) -> "subprocess.Popen[str]":
        """Start Python on a host; it is killed when the network goes away.

        `folder` is empty on every host but the first: a file system of the process's own lies over it.

        Args:
            host: its name.
            words: the arguments of Python: a module and its own, for instance.
            log: where its errors go.
            more: variables of its environment.
        """
        own = "" if host == self._first else f"mount -t tmpfs none '{self.folder}' && "
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "*", "OMP_NUM_THREADS": "1", **more}
        process = subprocess.Popen(
            [*_inside(self._name(host)), "sh", "-c", f'{own}exec "$@"', "sh", sys.executable, *words],
            env=environment | {"OPENBLAS_NUM_THREADS": "1"},
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log or subprocess.DEVNULL,
            text=True,
        )
        self._processes.append(process)
        return process

    def new_socket(self, host: str, kind: socket.SocketKind) -> socket.socket:
        """A socket of this process that is on a host."""

        def made() -> socket.socket:
            with Path("/run/netns", self._name(host)).open() as namespace:
                libc = ctypes.CDLL(None, use_errno=True)
                if libc.setns(namespace.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), "setns")
            return socket.socket(socket.AF_INET, kind)

        with ThreadPoolExecutor(1) as thread:  # it stays on the host, and ends
            return thread.submit(made).result()

    def become(self, link: Link) -> None:
        """Have all links behave like that from now on."""
        assert self._switch is not None
        assert self._switch.stdin is not None
        self._switch.stdin.write(link.to_line())
        self._switch.stdin.flush()
        self._answer("changed")

    @contextmanager
    def open(self) -> Iterator["Network"]:
        """Make the hosts and the switch, which go away with the block, and with them all processes on the hosts."""
        with ExitStack() as stack:
            switch = self._name("switch")
            for name in (switch, *map(self._name, self.addresses)):
                _ip("netns", "add", name)
                stack.callback(_ip, "netns", "delete", name)
            for host, address in self.addresses.items():
                own = self._name(host)
                _ip("-n", own, "link", "add", "name", "eth0", "type", "veth", "peer", "name", host, "netns", switch)
                _ip("-n", own, "address", "add", f"{address}/24", "dev", "eth0")
                for where, interface in ((own, "lo"), (own, "eth0"), (switch, host)):
                    _ip("-n", where, "link", "set", interface, "up")
                subprocess.run(
                    [*_inside(own), sys.executable, "-m", "tests.hosts.offloads", "eth0"], cwd=ROOT, check=True
                )
            self._switch = subprocess.Popen(
                [*_inside(switch), sys.executable, "-m", "tests.hosts.switch", *self.addresses],
                cwd=ROOT,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            stack.callback(_end, [self._switch])
            self._answer("ready")
            stack.callback(_end, self._processes)
            yield self

    def _answer(self, expected: str) -> None:
        assert self._switch is not None
        assert self._switch.stdout is not None
        assert self._switch.stdout.readline() == f"{expected}\n"

    def _name(self, host: str) -> str:
        return f"atelier-{os.getpid()}-{self._number}-{host}"


def _inside(name: str) -> list[str]:
    return ["ip", "netns", "exec", name]


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True)


def _end(processes: list["subprocess.Popen[str]"]) -> None:
    for process in processes:
        process.kill()
    for process in processes:
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe:
                pipe.close()
