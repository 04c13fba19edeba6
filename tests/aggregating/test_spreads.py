"""Variances and deviations of many rows at once: to the bit what Python's whole numbers give one by one."""

import math
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from blocks.aggregating.exact import numbers, spreads
from blocks.aggregating.exact.limbs import Limbs
from blocks.aggregating.exact.rationals import quotient, root_of_quotient
from blocks.aggregating.exact.rounding import divided, rooted, rounded
from blocks.aggregating.ops.moments import CentralMoments
from blocks.aggregating.ops.operation import Moments, Selected
from blocks.aggregating.ops.variance import StddevPop, StddevSamp, VariancePop, VarianceSamp

KINDS = [VariancePop, VarianceSamp, StddevPop, StddevSamp]
AMOUNTS = st.integers(-(10**7), 10**7).map(lambda cents: cents / 100)
VALUES: dict[pa.DataType, st.SearchStrategy[Any]] = {
    pa.float64(): AMOUNTS
    | st.sampled_from([0.1, 0.30000000000000004, math.inf, math.nan, 5e-324, -2.2e-308, 1.7976931348623157e308]),
    pa.int16(): st.integers(-(2**15), 2**15 - 1),
    pa.int64(): st.integers(-(2**63), 2**63 - 1),
    pa.decimal128(20, 7): st.integers(-(10**20) + 1, 10**20 - 1).map(lambda digits: Decimal(digits).scaleb(-7)),
}


def hexes(values: pa.Array) -> list[str | None]:
    return [None if one is None else one.hex() for one in values.to_pylist()]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", list(VALUES), ids=str)
@settings(max_examples=30)
@given(data=st.data())
def test_all_rows_at_once_give_what_they_give_one_by_one(
    kind: type[VariancePop], column: pa.DataType, data: st.DataObject
) -> None:
    values = data.draw(st.lists(VALUES[column], min_size=1, max_size=12))
    operation = kind(column, {})
    count = len(values)
    ids = pa.array([b""] * count, pa.large_binary())
    cells = operation.prepare(Selected(pa.array(values, column), np.arange(count), ids))
    places = st.lists(st.integers(0, count), min_size=4, max_size=4)
    start, more = np.array(data.draw(places)), np.array(data.draw(places))
    index = operation.index(cells)
    stop = np.minimum(start + more, count)
    quick = operation.of_ranges(index, start, stop, Moments(start, None)).values
    assert hexes(quick) == hexes(CentralMoments.finished(operation, index.ranges(start, stop)).values)


def test_amounts_take_the_quick_way_and_what_is_far_apart_does_not() -> None:
    def found(*values: float) -> Limbs | None:
        read = numbers.of_doubles(np.array(values))
        sums = [one.limbs().added(np.array([0, len(values)])) for one in (read, read.power(2))]
        return spreads.spread(np.array([len(values)]), *sums)

    near = found(12.34, 99.99, 0.01)
    assert near is not None
    exact = [Fraction(one) * 2**1074 for one in (12.34, 99.99, 0.01)]
    assert near.to_ints(min(near.first, 0)) == [3 * sum(one * one for one in exact) - sum(exact) ** 2]
    assert found(1e300, 1e-300) is None


NUMBERS = st.integers(1, 2**40) | st.integers(1, 2**200) | st.integers(1, 2**53).map(lambda one: one * one)


@settings(max_examples=300)
@given(st.lists(NUMBERS, min_size=1, max_size=5), st.integers(1, 2**31 - 1), st.integers(-1000, 800))
def test_roots_and_quotients_of_digits_are_rounded_once(wholes: list[int], divisor: int, unit: int) -> None:
    limbs = Limbs.from_ints([*wholes, 0]).settled()
    divisors = np.full(len(wholes) + 1, divisor)
    roots, small = spreads.roots(limbs, [divisors], unit)
    assert not small.any()
    assert roots.tolist() == [root_of_quotient(one, divisor, unit) for one in [*wholes, 0]]
    assert spreads.means(limbs, [divisors], unit).tolist() == [quotient(one, divisor, unit) for one in [*wholes, 0]]


# What is left below may be in the 20 bits that the root does not look at, in lower digits, or no more than a rest.
@pytest.mark.parametrize("lower", [0, 16, 60])
@given(st.integers(1, 2**53 - 1), st.booleans())
def test_what_is_left_decides_where_a_root_lies_between_two_doubles(lower: int, whole: int, left: bool) -> None:
    # The root of (2 * whole + 1)**2 in quarters is half way between two whole numbers of 53 bits.
    whole |= 1 << 52
    square = Limbs.from_ints([((2 * whole + 1) ** 2 << lower) + (left and lower > 0)]).settled()
    found = rooted(square.digits, np.array([left and not lower]), -2 - lower)[0][0]
    assert found == (whole + 1 if left or whole % 2 else whole)


def test_roots_that_are_subnormal_are_left_to_whole_numbers() -> None:
    one = Limbs.from_ints([1, 1]).settled()
    assert rooted(one.digits, np.array([False, False]), -2148)[1].tolist() == [True, True]
    assert not rooted(one.digits, np.array([False, False]), -1900)[1].any()


@given(st.integers(0, 2**200), st.integers(1, 2**31 - 1), st.integers(0, 4))
def test_a_long_division_has_a_quotient_and_a_rest(whole: int, divisor: int, more: int) -> None:
    digits, rest = divided(Limbs.from_ints([whole]).settled().digits, np.array([divisor]), more)
    wanted = divmod(whole << (32 * more), divisor)
    assert (Limbs(digits, 0).to_ints(), rest.tolist()) == ([wanted[0]], [wanted[1] != 0])


def test_no_digits_are_zero() -> None:
    nothing, flags = np.zeros((2, 0), np.int64), np.zeros(2, np.bool_)
    assert rounded(nothing, flags, 0).tolist() == rooted(nothing, flags, 0)[0].tolist() == [0.0, 0.0]


@pytest.mark.parametrize(("power", "wanted"), [(1, []), (100, [100]), (10**14, [10**9, 10**5])])
def test_powers_of_ten_are_divisors(power: int, wanted: list[int]) -> None:
    assert spreads.factors(power) == wanted
