"""Statistics for stores that were made before stores had any."""

import json
from pathlib import Path

from service.data.channel_statistics import ChannelStatistics
from service.data.store import DatasetInfo, blocks, describe
from service.files import replace_file
from service.storage import Place


def add_statistics(path: Place) -> DatasetInfo:
    """Let a store say the means and deviations of its channels; nothing else of it changes.

    One in object storage never changes, and was made with them.

    Raises:
        DataError: it is damaged.
        OSError: it can't be written.
    """
    info = describe(path)
    if not isinstance(path, Path):
        return info
    found = ChannelStatistics.of_parts(images for images, _ in blocks(path, "train", info.digest))
    metadata = json.loads((path / "zarr.json").read_text(encoding="utf-8"))
    metadata["attributes"]["channels"] = found.to_attributes()
    replace_file(path / "zarr.json", lambda draft: draft.write_text(json.dumps(metadata, indent=2), encoding="utf-8"))
    return describe(path)
