"""A network switch as a program: frames between its ports are delayed, lost and slowed down as it is told.

    python -m tests.hosts.switch PORT…       within the network namespace of these ports

It does what `tc netem` does, which many kernels lack. Each line of its input is JSON: what a link does from now on, as
`Link` has it, and which pairs of ports are cut off from each other. It answers each with a line.
"""

import json
import random
import selectors
import socket
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from heapq import heappop, heappush
from itertools import count
from time import monotonic
from typing import Any

ETH_P_ALL = 3
MOST_BYTES = 65_536
MAC_BYTES = 6
SO_SNDBUFFORCE, SO_RCVBUFFORCE, BUFFER_BYTES = 32, 33, 16 << 20
"""Options of Linux's sockets that Python doesn't name: buffers beyond the system's limit, so that no burst is lost."""
QUEUED = 1000
"""Frames that wait at a port at most, as with netem; more are lost."""


@dataclass(frozen=True)
class Link:
    """What the way from a port to the switch does to frames.

    Attributes:
        delay_s: how long a frame takes, beside the time for its bits.
        loss: the share of frames that are lost.
        bits_per_s: how many go through; 0 is as many as come.
        cut: pairs of ports between which nothing goes through.
    """

    delay_s: float = 0.0
    loss: float = 0.0
    bits_per_s: float = 0.0
    cut: list[list[str]] = field(default_factory=list)

    def to_line(self) -> str:
        """As the switch takes it."""
        return json.dumps(asdict(self)) + "\n"


class Switch:
    """The ports, what they do, and the frames on their way."""

    def __init__(self, ports: list[str]) -> None:
        """Open the ports, which are interfaces of this network namespace."""
        self.sockets = {port: _opened(port) for port in ports}
        self.link = Link()
        self._cut: set[frozenset[str]] = set()
        self._places: dict[bytes, str] = {}
        self._free = dict.fromkeys(ports, 0.0)
        self._queued = dict.fromkeys(ports, 0)
        self._under_way: list[tuple[float, int, str, bytes]] = []
        self._order = count()
        self._random = random.Random(0)

    def change(self, link: Link) -> None:
        """Have frames that come from now on treated like that. Those under way across a cut are lost too."""
        self.link = link
        self._cut = {frozenset(pair) for pair in link.cut}

    def receive(self, port: str) -> None:
        """Take the frames that have come at a port."""
        while True:
            try:
                frame, (_, _, kind, *_) = self.sockets[port].recvfrom(MOST_BYTES)
            except BlockingIOError:
                return
            if kind != socket.PACKET_OUTGOING:
                self._take(port, frame, monotonic())

    def send_due(self) -> float | None:
        """Send on what has arrived; the seconds until the next frame does, None where none is under way."""
        while self._under_way and self._under_way[0][0] <= monotonic():
            _, _, port, frame = heappop(self._under_way)
            self._queued[port] -= 1
            target = self._places.get(frame[:MAC_BYTES])
            for other in [target] if target else self.sockets:
                if other != port and frozenset((port, other)) not in self._cut:
                    self._send(other, frame)
        return max(0.0, self._under_way[0][0] - monotonic()) if self._under_way else None

    def _take(self, port: str, frame: bytes, now: float) -> None:
        self._places[frame[MAC_BYTES : 2 * MAC_BYTES]] = port
        if self._random.random() < self.link.loss or self._queued[port] >= QUEUED:
            return
        wire = len(frame) * 8 / self.link.bits_per_s if self.link.bits_per_s else 0.0
        self._free[port] = max(self._free[port], now) + wire
        self._queued[port] += 1
        heappush(self._under_way, (self._free[port] + self.link.delay_s, next(self._order), port, frame))

    def _send(self, port: str, frame: bytes) -> None:
        try:
            self.sockets[port].send(frame)
        except OSError:
            return  # a full buffer, or a port that goes away: the frame is lost, as frames may be


def _opened(port: str) -> socket.socket:
    opened = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
    opened.bind((port, 0))
    opened.setblocking(False)
    for buffer in (SO_SNDBUFFORCE, SO_RCVBUFFORCE):
        opened.setsockopt(socket.SOL_SOCKET, buffer, BUFFER_BYTES)
    return opened


def main(ports: list[str]) -> None:
    """Switch until the input ends."""
    switch = Switch(ports)
    with selectors.DefaultSelector() as selector:
        for port, opened in switch.sockets.items():
            selector.register(opened, selectors.EVENT_READ, lambda port=port: switch.receive(port))  # type: ignore[misc]  # default argument
        selector.register(sys.stdin, selectors.EVENT_READ, lambda: _obey(switch))
        print("ready", flush=True)
        while True:
            for key, _ in selector.select(switch.send_due()):
                act: Callable[[], Any] = key.data
                act()


def _obey(switch: Switch) -> None:
    line = sys.stdin.readline()
    if not line:
        sys.exit()
    switch.change(Link(**json.loads(line)))
    print("changed", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
