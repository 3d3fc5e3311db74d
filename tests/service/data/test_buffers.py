"""Arrays that may be larger than memory."""

import sys
from pathlib import Path

import numpy as np
import pytest

from service.data.buffers import drop_pages

ROWS, SIZE, HEADER = 50, 1_048_208, 16
"""As a file of 28x28 images in IDX is read, by chunks: none begins where a page does."""


def resident_bytes(file: Path) -> int:
    """What the process's memory has of a file that is mapped."""
    found, within = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if "-" in line.split(" ")[0]:
            within = line.endswith(str(file))
        elif within and line.startswith("Rss:"):
            found += int(line.split()[1]) * 1024
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="what is resident is told by /proc")
def test_a_file_that_was_gone_through_leaves_nothing_in_memory(tmp_path: Path):
    path = tmp_path / "images"
    with path.open("wb") as file:
        file.write(bytes(HEADER))
        for row in range(ROWS):
            file.write(bytes([row % 256]) * SIZE)
    array, most = np.memmap(path, np.uint8, "r", HEADER, (ROWS, SIZE)), 0
    for row in range(ROWS):
        assert array[row].min() == row % 256
        most = max(most, resident_bytes(path))
        drop_pages(array, slice(row, row + 1))
    assert SIZE <= most <= SIZE + (1 << 18)
    assert resident_bytes(path) <= 1 << 18
