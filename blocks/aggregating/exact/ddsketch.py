"""The buckets of DDSketch with a relative accuracy of 1 %, computed without a logarithm.

The index of a positive number is `floor(35 * (e + p(s)))` for x = (1 + s) * 2**e, 0 <= s < 1, with the polynomial
p(s) = ((6/35 * s - 3/5) * s + 10/7) * s in place of log2(1 + s). Its slope against ln(x) is nowhere below 10/7, so a
bucket is at most 1 / 35 / (10/7) = 0.02 wide in ln(x), which is less than ln(1.01 / 0.99): every value is within 1 % of
the bucket's middle. Additions and multiplications of doubles, in this order, are the same on every machine, in numpy
and in Java (`blocks.udf.DDSketch`); a logarithm of a mathematics library is not.

Source: Masson, Rim and Lee, "DDSketch: a fast and fully-mergeable quantile sketch with relative-error guarantees" (VLDB
2019), with the cubic interpolation of the reference implementations.
"""

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Doubles = npt.NDArray[np.float64]

ACCURACY = 0.01
_BUCKETS = 35.0
_A, _B, _C = 6.0 / 35.0, -3.0 / 5.0, 10.0 / 7.0
_STEPS = 60


def index_of(magnitude: Doubles) -> Ints:
    """The bucket of each number.

    Args:
      magnitude: finite and above 0.
    """
    fraction, exponent = np.frexp(magnitude)
    part = 2.0 * fraction - 1.0
    log = ((_A * part + _B) * part + _C) * part + (exponent - 1)
    return np.floor(_BUCKETS * log).astype(np.int64)


def middle_of(index: Ints) -> Doubles:
    """A value within 1 % of all values of each bucket: the harmonic mean of its bounds."""
    # Without their exponent, so that nothing is too large or too small for a double before the end.
    exponent = index // int(_BUCKETS)
    low, high = _bound(index, exponent), _bound(index + 1, exponent)
    with np.errstate(over="ignore"):
        found = np.ldexp(2.0 * low * (high / (low + high)), exponent.astype(np.int32))
    # The logarithm of the greatest double is rounded up to that of a bucket beyond all doubles.
    return np.minimum(found, np.finfo(np.float64).max)


def _bound(index: Ints, less: Ints) -> Doubles:
    """The lower bound of each bucket divided by 2**less, by halving; the same steps in Java."""
    log = index / _BUCKETS
    exponent = np.floor(log)
    wanted = log - exponent
    low, high = np.zeros(len(index)), np.ones(len(index))
    for _ in range(_STEPS):
        half = (low + high) * 0.5
        above = ((_A * half + _B) * half + _C) * half > wanted
        low, high = np.where(above, low, half), np.where(above, half, high)
    found: Doubles = np.ldexp(1.0 + low, (exponent - less).astype(np.int32))
    return found
