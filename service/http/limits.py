"""What a request may cost, as one value that everything is handed that holds a limit."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """The limits of one application.

    Attributes:
        head: Bytes of a request's line and headers, and of a body that holds no pixels.
        body: Bytes of a body with pixels, before and after it is decompressed.
        images: Examples in one request.
        read_s: Seconds in which the head must have arrived, and then the body.
        predict_s: Seconds that a prediction may take.
        streams: Event streams that are open at a time.
        models: Predictors that are kept in memory.
    """

    head: int = 64 * 2**10
    body: int = 16 * 2**20
    images: int = 1024
    read_s: float = 20.0
    predict_s: float = 30.0
    streams: int = 64
    models: int = 8
