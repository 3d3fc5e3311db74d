"""What a store holds, without its pixels: the value by which a data set travels with tasks."""

from dataclasses import dataclass, field
from math import prod

from service.data import chunked_groups
from service.data.channel_statistics import ChannelStatistics
from service.data.shards import chunk_rows
from service.storage import Place


@dataclass(frozen=True)
class DatasetInfo:
    """What a store holds, without its pixels.

    Attributes:
        path: where it lies, a folder or an address.
        name: of the data set.
        digest: the identity of the data, one SHA-256 over all images and labels and their shapes.
        train: how many examples there are to train on.
        test: how many to test with.
        image_shape: (h, w) in pixels.
        classes: how many there are.
        class_names: their names.
        channels: 1, or 3 in colour.
        chunk: images of a chunk that has a digest of its own, so that it can be read by itself; 0 in a small store.
        statistics: means and deviations of the training images' channels; empty in stores of before.
    """

    path: Place
    name: str
    digest: str
    train: int
    test: int
    image_shape: tuple[int, int]
    classes: int
    class_names: tuple[str, ...]
    channels: int = 1
    chunk: int = 0
    statistics: ChannelStatistics = field(default_factory=ChannelStatistics)

    @property
    def input_shape(self) -> tuple[int, int, int]:
        """(c, h, w) of one example."""
        return (self.channels, *self.image_shape)

    @property
    def image_bytes(self) -> int:
        """What one image takes."""
        return prod(self.input_shape)

    @property
    def is_chunked(self) -> bool:
        """Whether it can be read in part."""
        return self.chunk > 0

    @property
    def chunk_size(self) -> int:
        """How many images a chunk has; of a small store, how many it would have."""
        return self.chunk or chunk_rows(self.input_shape, chunked_groups.CHUNK_BYTES)
