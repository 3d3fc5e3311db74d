"""Which workers joined and left, as the scheduler's events say."""

from functools import partial
from queue import SimpleQueue
from threading import Event
from time import monotonic
from typing import Any

from distributed import Client

LISTENS = "atelier-listens"
"""The event by which a client learns that its subscription has begun."""


class Membership:
    """Keeps count of joins and departures, over all connections to a scheduler.

    Attributes:
        worker_left: set when a worker leaves, until `departures` is called.
        changes: how many joins and departures there were.
    """

    def __init__(self) -> None:
        self.worker_left = Event()
        self.changes = 0
        self._lost_tasks: SimpleQueue[frozenset[str]] = SimpleQueue()

    def departures(self) -> frozenset[str]:
        """The keys of tasks lost with workers that died since the last call; one that retired in order adds none."""
        self.worker_left.clear()
        lost: frozenset[str] = frozenset()
        while not self._lost_tasks.empty():
            lost |= self._lost_tasks.get()
        return lost

    def subscribe(self, client: Client, seconds: float) -> None:
        """Receive a scheduler's events from now on.

        Args:
            client: the connection.
            seconds: the time limit.

        Raises:
            OSError: the subscription doesn't begin in time.
        """
        hears = Event()
        client.subscribe_topic("all", partial(self._on_event, client.id, hears))
        deadline = monotonic() + seconds
        while not hears.wait(0.02):
            if monotonic() > deadline:
                raise TimeoutError
            # The scheduler doesn't confirm a subscription, and a departure before it would be missed.
            event = {"action": LISTENS, "client": client.id}
            client.sync(client.scheduler.log_event, topic="all", msg=event, callback_timeout=seconds)

    def _on_event(self, client: str, hears: Event, event: tuple[float, Any]) -> None:
        _, message = event
        action = message.get("action") if isinstance(message, dict) else None
        if action == LISTENS and message["client"] == client:
            hears.set()
        if action in ("add-worker", "remove-worker"):
            self.changes += 1
        if action == "remove-worker":
            self._lost_tasks.put(frozenset() if message["expected"] else frozenset(message["processing-tasks"]))
            self.worker_left.set()
