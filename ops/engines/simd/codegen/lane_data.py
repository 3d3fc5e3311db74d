"""What kernels know of each example of a block, beside its pixels: int32 numbers, one vector a row.

Rows hold the examples' numbers in the data set and their labels; after the augmentation was drawn, whether each is
flipped and how far it is shifted; and the seed and the epoch, the same in every lane.
"""

EXAMPLES, LABELS, FLIPS, DOWN, ACROSS, SEED_LOW, SEED_HIGH, EPOCH, ROWS = range(9)
"""The rows, and how many there are."""
