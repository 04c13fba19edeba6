"""The estimate of a HyperLogLog sketch from its registers alone, for many sketches at once.

Source: Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog sketches" (2017), section 2: no constants to
calibrate, no bias at either end, and a function of how many registers have each rank.
"""

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

# 1 / (2 * ln 2), to the nearest double.
_ALPHA = 0.7213475204444817


def estimates(sketch: Ints, rank: Ints, sketches: int, precision: int) -> Ints:
    """The estimates of sketches.

    Args:
      sketch: for each register that is in use, which sketch it belongs to.
      rank: its rank, from 1 to 64 - precision + 1.
      sketches: how many there are.
      precision: each has 2 ** precision registers.
    """
    registers = 1 << precision
    most = 64 - precision + 1
    counts = np.zeros((sketches, most + 1), np.int64)
    np.add.at(counts, (sketch, rank), 1)
    counts[:, 0] = registers - counts.sum(axis=1)
    total = registers * _of_shares(1 - counts[:, most] / registers, _tau)
    for place in range(most - 1, 0, -1):
        total = 0.5 * (total + counts[:, place])
    total = total + registers * _of_shares(counts[:, 0] / registers, _sigma)
    with np.errstate(divide="ignore"):
        found = _ALPHA * registers * registers / total
    return np.where(counts[:, 0] == registers, 0, np.floor(found + 0.5)).astype(np.int64)


def _of_shares(shares: npt.NDArray[np.float64], function: Callable[[float], float]) -> npt.NDArray[np.float64]:
    different, place = np.unique(shares, return_inverse=True)
    return np.array([function(share) for share in different.tolist()], np.float64)[place]


@lru_cache(maxsize=65536)
def _sigma(share: float) -> float:
    if share == 1:
        return math.inf
    power, weight, total, before = share, 1.0, share, math.nan
    while total != before:
        power *= power
        before = total
        total += power * weight
        weight += weight
    return total


@lru_cache(maxsize=65536)
def _tau(share: float) -> float:
    if share in (0, 1):
        return 0.0
    root, weight, total, before = share, 1.0, 1 - share, math.nan
    while total != before:
        root = math.sqrt(root)
        before = total
        weight *= 0.5
        total -= (1 - root) * (1 - root) * weight
    return total / 3
