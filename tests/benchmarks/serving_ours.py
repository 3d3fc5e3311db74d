"""The service as `atelier serve` runs it, with one LeNet of random parameters to ask."""

import argparse
import tempfile
from pathlib import Path

import uvicorn

from service.home import Home
from service.http import Limits, create_app, request_limit_protocol
from tests.service.models import publish

if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder))
        publish(home.models)
        port = parser.parse_args().port
        uvicorn.run(
            create_app(home),
            port=port,
            http=request_limit_protocol(Limits()),
            ws="none",
            log_level="warning",
            access_log=False,
        )
