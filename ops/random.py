"""Random numbers that depend on what they are for, never on when they are drawn.

`generator` serves the host, where a NumPy generator is convenient (shuffles, first weights).
`philox4x32` serves the inside of a step, where the same draw must come out of NumPy, Numba and CUDA alike.
"""

from hashlib import sha256

import numpy as np

from ops.arrays import Array, array_module


def generator(seed: int, purpose: str, *numbers: int) -> np.random.Generator:
    """A Philox generator keyed by the seed, a purpose and any numbers: equal arguments, equal draws."""
    name = "/".join((purpose, *map(str, numbers)))
    key = sha256(f"{seed}:{name}".encode()).digest()[:16]
    return np.random.Generator(np.random.Philox(key=np.frombuffer(key, "<u8").copy()))


def philox4x32(counter: tuple[Array, Array, Array, Array], key: tuple[int, int]) -> tuple[Array, Array, Array, Array]:
    """Philox-4x32-10 (Salmon et al., Parallel random numbers: as easy as 1, 2, 3; SC 2011).

    Args:
        counter: Four uint32 arrays that broadcast.
        key: Two 32-bit numbers.

    Returns:
        Four uint32 arrays of the broadcast shape, each uniform over all 32-bit values.
    """
    xp = array_module(*counter)
    c0, c1, c2, c3 = (c.astype(xp.uint64) for c in xp.broadcast_arrays(*map(xp.asarray, counter)))
    k0, k1 = key
    low, word = xp.uint64(0xFFFFFFFF), xp.uint64(32)
    for _ in range(10):
        left, right = c0 * xp.uint64(0xD2511F53), c2 * xp.uint64(0xCD9E8D57)
        c0, c1, c2, c3 = (
            (right >> word) ^ c1 ^ xp.uint64(k0),
            right & low,
            (left >> word) ^ c3 ^ xp.uint64(k1),
            left & low,
        )
        k0, k1 = (k0 + 0x9E3779B9) & 0xFFFFFFFF, (k1 + 0xBB67AE85) & 0xFFFFFFFF
    return c0.astype(xp.uint32), c1.astype(xp.uint32), c2.astype(xp.uint32), c3.astype(xp.uint32)


def seed_key(seed: int) -> tuple[int, int]:
    """A seed as Philox's key: its low and its high 32 bits."""
    return seed & 0xFFFFFFFF, (seed >> 32) & 0xFFFFFFFF
