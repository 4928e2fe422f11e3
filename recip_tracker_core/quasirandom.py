"""Points that fill a cube evenly, without a generator: equal runs are equal bit by bit.

The additive recurrence of Roberts, The unreasonable effectiveness of quasirandom sequences (2018): its
step is made of the powers of the inverse of the generalised golden ratio.
"""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
SEED_STEP = 0.137  # of the cube's side; irrational enough that no small seeds give the same points


def points(count: int, dimensions: int, start: int, seed: int) -> Floats:
    """Points ``start`` to ``start + count - 1`` of the sequence.

    Args:
        count: how many.
        dimensions: of the cube.
        start: index of the first; the next call goes on at ``start + count``.
        seed: shifts the whole sequence.

    Returns:
        (count, dimensions) in [0, 1).
    """
    index = start + 1 + np.arange(count)
    return np.asarray((0.5 + index[:, None] * _step(dimensions) + seed * SEED_STEP) % 1.0)


@functools.cache
def _step(dimensions: int) -> Floats:
    """(dimensions,) from one point to the next."""
    ratio = 2.0
    for _ in range(30):  # the fixed point of x = (1 + x) ** (1 / (d + 1))
        ratio = (1 + ratio) ** (1 / (dimensions + 1))
    return np.asarray(ratio ** -np.arange(1, dimensions + 1))
