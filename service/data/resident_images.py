"""Images of a large data set, of which as many chunks lie in memory as a budget allows.

The array has room for all images, and memory for those chunks that were read: what isn't touched of anonymous memory
takes none. So an example has the same place whichever chunks are there, and engines index the array as any other.
"""

import logging
import mmap
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from math import prod
from pathlib import Path
from threading import Condition

import numpy as np
from numpy.typing import NDArray

from service.data.shards import ShardedArray
from service.data.store_files import read_in_order
from service.errors import AtelierError, DataError, StorageError

log = logging.getLogger(__name__)

MAP_NORESERVE = 0x4000 if sys.platform == "linux" else 0
"""Linux's flag for memory of which most will never be touched; Python's `mmap` doesn't name it before 3.13."""

MADV_POPULATE_WRITE = 23
"""Linux's advice to make pages now, all at once: half the work of making each when it is touched. Since Linux 5.14."""

SHARE_OF_MEMORY = 8
"""Without a budget, an eighth of the memory that the process may use."""

CGROUP_LIMIT = Path("/sys/fs/cgroup/memory.max")


class ResidentImages:
    """Chunks of images in one array. Threads may use it at once.

    Attributes:
        array: (N, h, w) or (N, c, h, w). Images of chunks that aren't pinned may be anything.
    """

    def __init__(self, source: ShardedArray, budget: int = 0) -> None:
        """Read nothing yet.

        Args:
            source: where the chunks come from.
            budget: bytes of memory to keep to, as far as the chunks that are pinned at the same time allow; 0 is a
                share of what there is.

        Raises:
            AtelierError: the process may not take so much address space.
        """
        self._source = source
        self._budget = budget or usable_memory() // SHARE_OF_MEMORY
        self._map = _address_space(prod(source.layout.shape))
        self.array: NDArray[np.uint8] = np.frombuffer(self._map, np.uint8, prod(source.layout.shape)).reshape(
            source.layout.shape
        )
        self._changed = Condition()
        self._pins: Counter[int] = Counter()
        self._loading: set[int] = set()
        self._resident: OrderedDict[int, None] = OrderedDict()
        self._reader = ThreadPoolExecutor(1, "prefetch")

    @property
    def resident_bytes(self) -> int:
        """What the chunks in memory take."""
        with self._changed:
            return len(self._resident) * self._chunk_bytes

    @contextmanager
    def pinned(self, examples: NDArray[np.int32]) -> Iterator[None]:
        """Have some examples in memory as long as the block lasts. Raises DataError where a chunk can't be read."""
        chunks = self._chunks_of(examples)
        with self._changed:
            self._pins.update(chunks)
        try:
            self._load_all(chunks)
            yield
        finally:
            with self._changed:
                self._pins.subtract(chunks)
                self._make_room()

    def prefetch(self, examples: Callable[[], Iterable[NDArray[np.int32]]]) -> None:
        """Read what will be needed next, in a thread, as far as the budget allows.

        Nothing that goes wrong is raised: whoever needs the chunk reads it.

        Args:
            examples: what will be needed, found out in the thread.
        """
        self._reader.submit(self._prefetch, examples)

    def _prefetch(self, examples: Callable[[], Iterable[NDArray[np.int32]]]) -> None:
        ahead: set[int] = set()
        try:
            for some in examples():
                chunks = self._chunks_of(some)
                for first in range(0, len(chunks), self._source.concurrency):
                    together = chunks[first : first + self._source.concurrency]
                    ahead.update(together)
                    if not self._has_room(ahead):
                        return
                    self._load_all(together)
        except (DataError, StorageError) as error:
            log.info("a chunk could not be read ahead: %s", error)
        except Exception:
            log.exception("reading ahead failed")

    def _load_all(self, chunks: Sequence[int]) -> None:
        for _ in read_in_order(self._load, chunks, self._source.concurrency):
            pass

    def _load(self, chunk: int) -> None:
        with self._changed:
            while chunk in self._loading:
                self._changed.wait()
            if chunk in self._resident:
                self._resident.move_to_end(chunk)
                return
            self._loading.add(chunk)
            self._make_room()
        try:
            self._populate(chunk)
            self._source.read_into(chunk, self.array[self._source.layout.span(chunk)])
            with self._changed:
                self._resident[chunk] = None
        finally:
            with self._changed:
                self._loading.discard(chunk)
                self._changed.notify_all()

    def _has_room(self, chunks: set[int]) -> bool:
        """Whether some chunks fit beside those that are pinned."""
        with self._changed:
            pinned = {chunk for chunk, count in self._pins.items() if count > 0}
            return len(pinned | chunks) * self._chunk_bytes <= self._budget

    def _make_room(self) -> None:
        """Give up the chunks that were used longest ago and aren't pinned, as far as needed. Holds the lock."""
        excess = (len(self._resident) + len(self._loading)) * self._chunk_bytes - self._budget
        unpinned = [chunk for chunk in self._resident if self._pins[chunk] <= 0] if excess > 0 else []
        for chunk in unpinned[: -(-excess // self._chunk_bytes)]:
            del self._resident[chunk]
            self._discard(chunk)

    def _populate(self, chunk: int) -> None:
        """Make the pages that are a chunk's alone."""
        with suppress(OSError):  # an older kernel makes them one by one
            self._advise(MADV_POPULATE_WRITE, chunk)

    def _discard(self, chunk: int) -> None:
        """Return a chunk's pages. Those that it shares with its neighbours stay."""
        self._advise(mmap.MADV_DONTNEED, chunk)

    def _advise(self, advice: int, chunk: int) -> None:
        span = self._source.layout.span(chunk)
        start = -(-span.start * self._image_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        stop = span.stop * self._image_bytes // mmap.PAGESIZE * mmap.PAGESIZE
        if stop > start:
            self._map.madvise(advice, start, stop - start)

    def _chunks_of(self, examples: NDArray[np.int32]) -> list[int]:
        chunks: list[int] = np.flatnonzero(np.bincount(examples // self._source.layout.rows)).tolist()
        return chunks

    @property
    def _image_bytes(self) -> int:
        return prod(self._source.layout.shape[1:])

    @property
    def _chunk_bytes(self) -> int:
        return self._source.layout.rows * self._image_bytes


def usable_memory() -> int:
    """The bytes of memory that the process may use: the machine's, or what its control group is limited to."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, int(CGROUP_LIMIT.read_text(encoding="ascii")))
    except (OSError, ValueError):  # no such group, or "max"
        return machine


def _address_space(size: int) -> mmap.mmap:
    try:
        space = mmap.mmap(-1, max(size, 1), mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE)
    except (OSError, ValueError) as error:
        raise AtelierError(
            f"there is no room for {size / 1e6:,.0f} MB of addresses, of which most would never be used "
            f"(`ulimit -v` may allow them): {error}"
        ) from None
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        space.madvise(mmap.MADV_NOHUGEPAGE)  # pages of 2 MB would keep what is between chunks
    return space
