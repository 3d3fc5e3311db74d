"""Vectors as a safetensors file, put together with one copy of their numbers; `safetensors.numpy.save` takes two."""

import json
from collections.abc import Mapping

import numpy as np

from ops.engines.base import Floats


def to_safetensors(vectors: Mapping[str, Floats]) -> bytes:
    """The file's content: what safetensors itself makes of these float32 vectors, to the byte.

    The header's length in 8 bytes, the header, padded with blanks to a multiple of 8, and the numbers, by name.
    """
    header, end = {}, 0
    for name in sorted(vectors):
        start, end = end, end + 4 * vectors[name].size
        header[name] = {"dtype": "F32", "shape": [vectors[name].size], "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    numbers = (np.ascontiguousarray(vectors[name], "<f4").data for name in sorted(vectors))
    return b"".join((len(text).to_bytes(8, "little"), text, *numbers))
