"""Requests a second of the service beside a minimal FastAPI and PyTorch application, both under load of wrk.

    python -m tests.benchmarks.serving

runs it. Both serve LeNet in one process each, answer the same JSON body, and take turns on the same machine.
"""

import json
import re
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.error import URLError
from urllib.request import urlopen

import numpy as np

from service.errors import AtelierError

LUA = """
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
local file = io.open("{body}", "rb")
wrk.body = file:read("*a")
"""


@dataclass(frozen=True)
class Load:
    """What wrk measured: requests a second, latency in milliseconds, answers that were no success."""

    requests_per_s: float
    p50_ms: float
    p99_ms: float
    errors: int


def compare(ours: list[str], peer: list[str], *, seconds: int = 3, repeats: int = 3) -> Iterator[str]:
    """Lines of a table: both servers under the same load, in turns. ours, peer: commands that take `--port N`."""
    yield "| images | connections | service req/s | p50 / p99 ms | FastAPI + PyTorch req/s | p50 / p99 ms | ratio |"
    yield "|---|---|---|---|---|---|---|"
    with tempfile.TemporaryDirectory() as folder, served(ours) as first, served(peer) as second:
        for images in (1, 64):
            script = _script(Path(folder), images)
            for connections in (1, 16):
                pairs = [
                    [load(f"{url}/api/models/lenet/predict", script, connections, seconds) for url in (first, second)]
                    for _ in range(repeats)
                ]
                yield _row(images, connections, [pair[0] for pair in pairs], [pair[1] for pair in pairs])


def load(url: str, script: Path, connections: int, seconds: int) -> Load:
    """One run of wrk, with one thread. Raises AtelierError where wrk can't be had."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", str(script), url]
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout  # noqa: S603 -- our own words
    except (OSError, subprocess.CalledProcessError) as error:
        raise AtelierError(f"wrk can't be run: {error}; Debian's package is named wrk") from None
    failed = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    return Load(
        requests_per_s=float(rate.group(1)) if rate else 0.0,
        p50_ms=_latency(text, "50%"),
        p99_ms=_latency(text, "99%"),
        errors=int(failed.group(1)) if failed else 0,
    )


@contextmanager
def served(command: list[str]) -> Iterator[str]:
    """A server process on a free port; its address once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen([*command, "--port", str(port)], stdout=subprocess.DEVNULL)  # noqa: S603 -- our own words
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url, process)
        yield url
    finally:
        process.terminate()
        process.wait(10)


def _await(url: str, process: "subprocess.Popen[bytes]") -> None:
    for _ in range(300):
        try:
            urlopen(f"{url}/health", timeout=5).close()  # noqa: S310 -- the address is ours
        except (URLError, ConnectionError):
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise AtelierError(f"the server at {url} doesn't answer")


def _script(folder: Path, images: int) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (images, 28, 28)).tolist()
    body, script = folder / f"{images}.json", folder / f"{images}.lua"
    body.write_text(json.dumps({"pixels": pixels}), encoding="utf-8")
    script.write_text(LUA.format(body=body), encoding="utf-8")
    return script


def _latency(text: str, share: str) -> float:
    found = re.search(rf"\s{share}\s+([\d.]+)(us|ms|s)", text)
    return float(found.group(1)) * {"us": 1e-3, "ms": 1.0, "s": 1e3}[found.group(2)] if found else float("nan")


def _row(images: int, connections: int, ours: list[Load], theirs: list[Load]) -> str:
    if any(load.errors for load in ours + theirs):
        raise AtelierError("some answers were errors: the figures would mean nothing")
    mine, other = (median(load.requests_per_s for load in loads) for loads in (ours, theirs))
    if not (mine and other):
        raise AtelierError("a server answered nothing in most of its turns: the machine has too much else to do")
    spans = [
        f"{median(x.p50_ms for x in loads):.2f} / {median(x.p99_ms for x in loads):.2f}" for loads in (ours, theirs)
    ]
    return f"| {images} | {connections} | {mine:,.0f} | {spans[0]} | {other:,.0f} | {spans[1]} | {mine / other:.1f} |"
