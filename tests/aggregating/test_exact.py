"""Exact sums and quotients, against Python's fractions."""

import math
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating.exact import numbers
from blocks.aggregating.exact.limbs import Limbs
from blocks.aggregating.exact.rationals import quotient, root_of_quotient

DOUBLES = st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([5e-324, -5e-324, 1.7976931348623157e308])


def nearest(value: Fraction) -> float:
    try:
        return value.numerator / value.denominator
    except OverflowError:
        return math.inf if value > 0 else -math.inf


@settings(max_examples=200)
@given(st.lists(DOUBLES, min_size=1, max_size=30), st.data())
def test_sums_of_ranges_are_exact_and_rounded_once(values: list[float], data: st.DataObject) -> None:
    limbs = numbers.of_doubles(np.array(values)).limbs()
    assert limbs.to_doubles(numbers.UNIT).tolist() == values
    start = data.draw(st.integers(0, len(values)))
    stop = data.draw(st.integers(start, len(values)))
    divisor = data.draw(st.integers(1, 2**31 - 1))
    found = limbs.running().between(np.array([start]), np.array([stop]))
    exact = sum(map(Fraction, values[start:stop]), Fraction(0))
    assert found.to_doubles(numbers.UNIT).tolist() == [nearest(exact)]
    assert found.to_doubles(numbers.UNIT, np.array([divisor])).tolist() == [nearest(exact / divisor)]
    assert found.to_ints() == [exact * 2**1074]
    again = Limbs.from_arrow(found.to_arrow())
    assert again.to_ints() == found.to_ints()
    assert again.to_arrow().equals(found.to_arrow())


@settings(max_examples=100)
@given(st.lists(DOUBLES, min_size=1, max_size=10), st.integers(2, 4))
def test_powers_are_exact(values: list[float], power: int) -> None:
    found = numbers.of_doubles(np.array(values)).power(power).limbs().to_ints()
    assert found == [Fraction(one) ** power * 2 ** (1074 * power) for one in values]


@given(st.lists(st.integers(-(2**63), 2**63 - 1), min_size=1, max_size=10), st.integers(1, 4))
def test_whole_numbers_and_their_powers_are_exact(values: list[int], power: int) -> None:
    read = numbers.of_integers(pa.array(values, pa.int64()))
    assert (read if power == 1 else read.power(power)).limbs().to_ints() == [one**power for one in values]


@given(st.lists(st.integers(-(10**38) + 1, 10**38 - 1), min_size=2, max_size=10))
def test_decimals_are_exact_also_in_a_slice(values: list[int]) -> None:
    column = pa.array([Decimal(f"{one}e-3") for one in values], pa.decimal128(38, 3))
    assert numbers.of_decimals(column).limbs().to_ints() == values
    assert numbers.of_decimals(column[1:]).limbs().to_ints() == values[1:]


@given(st.lists(st.integers(-(2**127), 2**127 - 1), min_size=1, max_size=8))
def test_words_are_twos_complement(values: list[int]) -> None:
    words = np.ascontiguousarray(Limbs.from_ints(values).to_words(4))
    assert [int.from_bytes(row.tobytes(), "little", signed=True) for row in words] == values


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 2**200])
def test_what_does_not_fit_its_words_is_an_error(number: int) -> None:
    with pytest.raises(OverflowError):
        Limbs.from_ints([1, number]).to_words(2)


@settings(max_examples=200)
@given(st.integers(1, 2**300), st.integers(1, 2**300), st.integers(-1200, 1200))
def test_roots_are_rounded_once(dividend: int, divisor: int, exponent: int) -> None:
    found = Fraction(root_of_quotient(dividend, divisor, exponent))
    wanted = Fraction(dividend, divisor) * Fraction(2) ** exponent
    step = Fraction(math.ulp(float(found)))
    assert (found - step / 2) ** 2 <= wanted <= (found + step / 2) ** 2


def test_quotients_beyond_doubles_are_infinite_or_zero() -> None:
    assert quotient(10**400, 1) == math.inf
    assert quotient(-(10**400), 3) == -math.inf
    assert quotient(1, 1, -1200) == 0.0
    assert quotient(3, 1, -1075) == 1e-323
