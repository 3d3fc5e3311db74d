"""Shuffles by chunks and windows, for data sets that are larger than a worker's memory.

An epoch takes the chunks of a data set in an order of its own. A window is a run of whole steps; it is cut into a part
for each shard, and each part is shuffled by itself. So a shard's steps need the chunks of its part, and no others. Each
window, and each part of it, has chunks from everywhere in the data set at even distances, give or take a draw: so the
classes have their shares in it even where the data set is sorted by class.

    chunks, as this epoch has them   | 7 | 2 | 9 | 0 | 5 | 4 | 1 | 8 |
    windows                          |     window 0      |  window 1 …
    parts, one for each shard        |  0   |  1  |  2   |

Where windows and parts begin depends on the number of examples, the batch size and the number of shards alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from ops.random import generator


@dataclass(frozen=True, eq=False)
class Chunks:
    """Where the chunks of a data set begin, among the examples that are trained on.

    Attributes:
        bounds: (chunks + 1,) int64; chunk i has the examples from `bounds[i]` to `bounds[i + 1] - 1`.
    """

    bounds: NDArray[np.int64]

    @classmethod
    def among(cls, trained_on: NDArray[np.int32], examples: int, size: int) -> "Chunks":
        """Those of a data set of which some examples are held out.

        Args:
            trained_on: the numbers of the others, in ascending order.
            examples: how many there are in all.
            size: how many a chunk of the store has.
        """
        return cls(np.searchsorted(trained_on, np.minimum(np.arange(0, examples + size, size), examples)))


@lru_cache(maxsize=8)
def regular_chunks(examples: int, size: int) -> Chunks:
    """Chunks of a data set that is trained on as a whole."""
    return Chunks(np.minimum(np.arange(0, examples + size, size), examples))


def window_edges(steps: int, most: int) -> NDArray[np.int64]:
    """The first step of each window of an epoch, and the number of steps: windows are as even as can be.

    most: steps a window.
    """
    windows = -(-steps // most)
    return np.arange(windows + 1) * steps // windows


def shares(
    steps: range, batch_size: int, examples: int, shard: int, shards: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The part of each step that a shard takes: where it begins among an epoch's places, and how many it has."""
    starts = np.arange(steps.start, steps.stop) * batch_size
    sizes = np.minimum(starts + batch_size, examples) - starts
    lows = starts + sizes * shard // shards
    return lows, starts + sizes * (shard + 1) // shards - lows


@dataclass(frozen=True)
class WindowedShuffle:
    """The order in which epochs visit the examples.

    Attributes:
        seed: decides it.
        chunks: where the chunks begin.
        batch_size: examples of a step, over all shards together.
        shards: how many parts a window has.
        window_steps: steps a window, at most.
    """

    seed: int
    chunks: Chunks
    batch_size: int
    shards: int
    window_steps: int

    def order(self, epoch: int, first: int, last: int) -> NDArray[np.int32]:
        """The examples of the steps from `first` to `last - 1` of an epoch."""
        edges = self._edges()
        windows = range(int(np.searchsorted(edges, first, "right")) - 1, int(np.searchsorted(edges, last, "left")))
        base, stop = int(edges[windows[0]]) * self.batch_size, min(last * self.batch_size, self._examples)
        examples = np.concatenate([_window_order(self, epoch, window) for window in windows])
        return examples[first * self.batch_size - base : stop - base]

    @property
    def _examples(self) -> int:
        return int(self.chunks.bounds[-1])

    def _edges(self) -> NDArray[np.int64]:
        """See `window_edges`."""
        return window_edges(-(-self._examples // self.batch_size), self.window_steps)

    def _pool(self, epoch: int, low: int, high: int) -> NDArray[np.int32]:
        """The examples from place `low` to `high - 1` of an epoch's chunks, laid one behind the other."""
        order, ends = _chunk_order(self, epoch)
        bounds = self.chunks.bounds

        def pieces() -> Iterator[NDArray[np.int32]]:
            for place in range(int(np.searchsorted(ends, low, "right")), int(np.searchsorted(ends, high, "left")) + 1):
                start, stop = bounds[order[place]], bounds[order[place] + 1]
                begin = ends[place] - (stop - start)
                yield np.arange(start + max(low - begin, 0), min(stop, start + high - begin), dtype=np.int32)

        return np.concatenate(list(pieces()))

    def window_order(self, epoch: int, window: int) -> NDArray[np.int32]:
        """The examples of one window, step after step, each step's split over the shards in order."""
        first, last = self._edges()[window : window + 2]
        base, stop = int(first) * self.batch_size, min(int(last) * self.batch_size, self._examples)
        pool, taken = self._pool(epoch, base, stop), 0
        order = np.empty_like(pool)
        for shard in range(self.shards):
            lows, counts = shares(range(first, last), self.batch_size, self._examples, shard, self.shards)
            total = int(counts.sum())
            places = np.repeat(lows - base - np.cumsum(counts) + counts, counts) + np.arange(total)
            part = pool[taken : taken + total]
            order[places] = generator(self.seed, "window", epoch, window, shard).permutation(part)
            taken += total
        order.flags.writeable = False
        return order


@lru_cache(maxsize=8)
def _window_order(shuffle: WindowedShuffle, epoch: int, window: int) -> NDArray[np.int32]:
    return shuffle.window_order(epoch, window)


@lru_cache(maxsize=4)
def _chunk_order(shuffle: WindowedShuffle, epoch: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """An epoch's order of the chunks, and how many examples there are up to the end of each.

    Chunks are dealt to the windows, and those of a window to its parts.
    """
    sizes, random = np.diff(shuffle.chunks.bounds), generator(shuffle.seed, "chunks", epoch)
    windows = _dealt(np.arange(len(sizes)), len(shuffle._edges()) - 1, random)
    order = np.concatenate([part for window in windows for part in _dealt(window, shuffle.shards, random)])
    return order, np.cumsum(sizes[order])


def _dealt(chunks: NDArray[np.int64], hands: int, random: np.random.Generator) -> list[NDArray[np.int64]]:
    """Chunks dealt to some hands: of each run of as many neighbours, every hand gets one, drawn at random."""
    table = np.full(-(-len(chunks) // hands) * hands, -1)
    table[: len(chunks)] = chunks
    return [hand[hand >= 0] for hand in random.permuted(table.reshape(-1, hands), axis=1).T]
