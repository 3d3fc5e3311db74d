"""A run's log as server-sent events, as a browser takes them apart."""

import json
from pathlib import Path

from service.config import TrainConfig
from service.home import Home
from service.runs import RoundLog, RunFolder
from tests.service.http.serving import serving

BREAKS = "a\u2028b\u2029c\x85d\x0be\x1cf\rg\nh"
"""What Python's `splitlines` breaks a text at, and among it what ends a line of an event stream."""


def events(text: str) -> list[tuple[str, dict]]:
    """Kind and data of each event, by the rules of the HTML standard: lines end at CR, LF or both, and nowhere else."""
    found = []
    for block in text.replace("\r\n", "\n").replace("\r", "\n").split("\n\n")[:-1]:
        fields = dict(line.split(": ", 1) for line in block.split("\n"))
        found.append((fields["event"], json.loads(fields["data"])))
    return found


def test_a_message_with_any_line_separator_is_one_event(tmp_path: Path) -> None:
    home = Home(tmp_path)
    folder = RunFolder.create(home.runs, "run", TrainConfig(epochs=1), None)
    with RoundLog(folder.log) as log:
        log.append("begin", rounds_done=0)
        log.append("end", outcome="failed", why=BREAKS)
    with serving(home) as http:
        found = events(http.get("/api/runs/run/events").text)
    assert [kind for kind, _ in found] == ["begin", "end"]
    assert found[1][1]["why"] == BREAKS
    assert [data for _, data in found] == folder.tail(0)[0]
