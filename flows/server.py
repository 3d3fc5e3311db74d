"""The process of an embedded server:  python -m flows.server DESCRIPTOR FOLDER

It imports Prefect, which takes seconds and makes the folder, and writes nothing until a line comes on its standard
input. Then it serves Prefect's API on a socket that it inherits and keeps its log and its database in the folder, for
as long as its standard input stays open: whoever started it holds the other end, and that closes however that process
ends.
"""

import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Event, Thread

from flows.database import begin_database

GRACE_SECONDS = 3.0
"""How long the server may take to end in order."""


def main(descriptor: int, folder: Path) -> None:
    """Serve from the first line on standard input until that ends."""
    begun = Event()
    Thread(target=_follow_parent, args=(begun, folder / "server.log"), daemon=True).start()
    os.environ.update(PREFECT_UI_ENABLED="0", PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1")
    gc.disable()  # Prefect's modules are objects by the hundred thousand, of which none goes: a sixth of the time
    import uvicorn
    from prefect.server.api.server import create_app

    gc.freeze()
    gc.enable()
    begun.wait()
    begin_database(folder / "prefect.db")
    config = uvicorn.Config(create_app, factory=True, lifespan="on", log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _follow_parent(begun: Event, log: Path) -> None:
    """Note when the parent wants answers, write to the log from then on, and end when the parent ends."""
    if sys.stdin.buffer.readline():
        with log.open("wb") as file:
            for descriptor in (1, 2):
                os.dup2(file.fileno(), descriptor)
        begun.set()
        sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
