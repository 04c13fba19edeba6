"""Random numbers by position: the number of an event depends on the seed and its place, not on what came before.

SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA 2014) is used as a hash of the
position, because numpy does not promise the same streams in its next version. Only integer arithmetic and single
IEEE operations are used, never `log` or `pow`, whose last bit differs between machines.
"""

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_FIRST = np.uint64(0xBF58476D1CE4E5B9)
_SECOND = np.uint64(0x94D049BB133111EB)


class Draws:
    """Independent random columns over the same positions.

    Args:
      seed: of the simulation.
      positions: int64, of the events (or whatever is numbered).
    """

    def __init__(self, seed: int, positions: Ints) -> None:
        self._seed = seed
        self._steps = positions.astype(np.uint64) * _GAMMA

    def bits(self, name: str) -> npt.NDArray[np.uint64]:
        """64 random bits a position; different for every position of a column, as the mixing is one to one."""
        key = int.from_bytes(blake2b(f"{self._seed}/{name}".encode(), digest_size=8).digest(), "big")
        return _mix(_mix(self._steps + np.uint64(key)))

    def unit(self, name: str) -> Floats:
        """Numbers in [0, 1)."""
        return (self.bits(name) >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def below(self, name: str, limit: int) -> Ints:
        """Integers from 0 to `limit` - 1; `limit` at most 2^31."""
        return (((self.bits(name) >> np.uint64(32)) * np.uint64(limit)) >> np.uint64(32)).astype(np.int64)


def _mix(bits: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    return bits ^ (bits >> np.uint64(31))
