"""The process of an embedded server:  python -m flows.server DESCRIPTOR FOLDER

It serves Prefect's API on a socket that it inherits and keeps its database in the folder, for as long as its standard
input stays open: whoever started it holds the other end, and that closes however that process ends.
"""

import gc
import os
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Thread

from flows.database import begin_database

GRACE_SECONDS = 3.0
"""How long the server may take to end in order."""


def main(descriptor: int, folder: Path) -> None:
    """Serve until standard input ends."""
    Thread(target=_end_with_parent, daemon=True).start()
    begin_database(folder / "prefect.db")
    os.environ.update(PREFECT_UI_ENABLED="0", PREFECT__SERVER_EPHEMERAL="1", PREFECT__SERVER_FINAL="1")
    gc.disable()  # Prefect's modules are objects by the hundred thousand, of which none goes: a sixth of the time
    import uvicorn
    from prefect.server.api.server import create_app

    gc.freeze()
    gc.enable()
    config = uvicorn.Config(create_app, factory=True, lifespan="on", log_level="error")
    uvicorn.Server(config).run(sockets=[socket.socket(fileno=descriptor)])


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]))
