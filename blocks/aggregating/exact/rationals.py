"""Quotients and roots of whole numbers as doubles, rounded once, ties to even."""

import math


def quotient(dividend: int, divisor: int, exponent: int = 0) -> float:
    """`dividend / divisor * 2**exponent` as the nearest double; what is too large is infinite."""
    if exponent >= 0:
        dividend <<= exponent
    else:
        divisor <<= -exponent
    try:
        # Python divides whole numbers with one rounding.
        return dividend / divisor
    except OverflowError:
        return math.inf if dividend > 0 else -math.inf


def root_of_quotient(dividend: int, divisor: int, exponent: int = 0) -> float:
    """`sqrt(dividend / divisor * 2**exponent)` as the nearest double; dividend at least 0, divisor above 0."""
    if not dividend:
        return 0.0
    if exponent % 2:
        dividend, exponent = dividend << 1, exponent - 1
    # At least 64 bits of the root, and one more that says whether anything is left.
    places = max(0, 64 - (dividend.bit_length() - divisor.bit_length()) // 2)
    whole, rest = divmod(dividend << 2 * places, divisor)
    root = math.isqrt(whole)
    exact = not rest and root * root == whole
    return quotient(root << 1 | (not exact), 1, exponent // 2 - places - 1)
