"""How a source is read: one frozen, validated value, the same for command line, form and code."""

from typing import Literal

from pydantic import BaseModel, ConfigDict

from service.config import option

Fit = Literal["auto", "crop", "pad", "stretch"]
Mode = Literal["auto", "grey", "rgb"]


class IngestOptions(BaseModel):
    """How a source is read. With the source it decides what the store holds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    size: int = option(0, 0, "Height and width of the images in the store; 0 leaves them as they are.", ge=0, le=1024)
    fit: Fit = option(
        "auto",
        1,
        "What makes a picture of other proportions fit: crop cuts off, pad adds background, stretch distorts. "
        "auto: crop in colour, pad in grey.",
    )
    mode: Mode = option("auto", 2, "Channels of the images. auto: colour where any picture has some.")
    transpose: bool = option(False, 3, "Exchange rows and columns, as EMNIST's IDX files need it.")
    skip_bad: int = option(0, 4, "How many pictures that can't be read may be left out.", ge=0, le=1_000_000)
    test_share: float = option(
        0.1, 5, "Share of each class that becomes the test split of a source without one.", ge=0.01, le=0.9
    )
    split_seed: int = option(0, 6, "Decides which examples those are.", ge=0, le=2**63 - 1)
