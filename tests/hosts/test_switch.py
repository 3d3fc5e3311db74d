"""The switch delays, loses, slows down and cuts off as it is told: a bad network that is none would prove nothing."""

import socket
from collections.abc import Iterator
from pathlib import Path
from threading import Thread
from time import monotonic

import pytest

from tests.hosts.network import Network, why_no_hosts
from tests.hosts.switch import BUFFER_BYTES, SO_RCVBUFFORCE, Link

pytestmark = pytest.mark.skipif(bool(why_no_hosts()), reason=why_no_hosts() or "there are hosts")

PORT = 7


@pytest.fixture
def network(tmp_path: Path) -> Iterator[Network]:
    with Network(["here", "there"], tmp_path).open() as network:
        yield network


@pytest.fixture
def pair(network: Network) -> Iterator[tuple[socket.socket, socket.socket]]:
    """Sockets for datagrams on both hosts, the first of which sends to the second."""
    with network.new_socket("here", socket.SOCK_DGRAM) as here, network.new_socket("there", socket.SOCK_DGRAM) as there:
        there.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
        there.bind((network.addresses["there"], PORT))
        here.connect((network.addresses["there"], PORT))
        there.settimeout(60)
        here.send(b"who has this address?")
        there.recv(100)
        yield here, there


def sent(pair: tuple[socket.socket, socket.socket], sizes: list[int], seconds: float) -> list[float]:
    """Send datagrams of these sizes; when those that arrive within so many seconds did, after the first was sent."""
    here, there = pair
    there.settimeout(seconds)
    began, arrived = monotonic(), []
    for size in sizes:
        here.send(bytes(size))
    try:
        while len(arrived) < len(sizes):
            there.recv(2000)
            arrived.append(monotonic() - began)
    except TimeoutError:
        pass
    return arrived


def test_frames_are_delayed(network: Network, pair: tuple[socket.socket, socket.socket]):
    network.become(Link(delay_s=0.3))
    (arrived,) = sent(pair, [100], 60)
    assert arrived >= 0.3


def test_a_share_of_frames_is_lost(network: Network, pair: tuple[socket.socket, socket.socket]):
    assert len(sent(pair, [10] * 500, 60)) == 500
    network.become(Link(loss=0.2))
    assert 350 < len(sent(pair, [10] * 500, 1)) < 450


def test_so_many_bits_go_through_in_a_second(network: Network, pair: tuple[socket.socket, socket.socket]):
    network.become(Link(bits_per_s=1e6))
    times = sent(pair, [1208] * 50, 60)  # of 1,250 bytes with their headers: 10 ms each
    assert len(times) == 50
    assert times[-1] >= 0.5


def test_nothing_crosses_a_cut_until_it_heals(network: Network, pair: tuple[socket.socket, socket.socket]):
    network.become(Link(cut=[["there", "here"]]))
    assert sent(pair, [10], 0.5) == []
    network.become(Link())
    assert len(sent(pair, [10], 60)) == 1


def test_a_connection_gets_everything_across_a_bad_network(network: Network):
    content = bytes(range(256)) * 4000
    with network.new_socket("there", socket.SOCK_STREAM) as listening:
        listening.bind((network.addresses["there"], PORT))
        listening.listen()
        network.become(Link(delay_s=0.005, loss=0.01))

        def send() -> None:
            with network.new_socket("here", socket.SOCK_STREAM) as here:
                here.connect((network.addresses["there"], PORT))
                here.sendall(content)

        sender = Thread(target=send)
        sender.start()
        there, _ = listening.accept()
        with there, there.makefile("rb") as file:
            assert file.read() == content
        sender.join()


def test_every_host_but_the_first_has_an_empty_folder_of_its_own(network: Network, tmp_path: Path):
    (tmp_path / "of the first").touch()
    words = ("-c", f"import os; print(os.listdir({str(tmp_path)!r}))")
    seen = {host: network.start(host, *words).communicate()[0].strip() for host in network.addresses}
    assert seen == {"here": "['of the first']", "there": "[]"}
