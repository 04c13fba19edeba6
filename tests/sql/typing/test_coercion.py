"""Laws of Calcite's types: what is common to several, what compares, and what casts."""

from hypothesis import given
from hypothesis import strategies as st

from blocks.sql.coercion import comparison_type, is_comparable, least_restrictive, wider_type
from blocks.sql.types import NUMERIC, TEXT, TIMES, SqlType
from blocks.sql.typing.casting import can_cast, is_assignable
from blocks.sql.typing.families import FAMILIES, belongs, implicit_cast

PLAIN = st.sampled_from(
    [*(SqlType(name) for name in ("BOOLEAN", "VARBINARY", "VARCHAR", *NUMERIC, *TIMES)), SqlType("CHAR", False, 3)]
)
NULLABLE = st.builds(SqlType.null, PLAIN, st.booleans())
KINDS = st.recursive(
    NULLABLE,
    lambda inner: st.one_of(
        st.builds(lambda one: SqlType("ARRAY", inner=(one,)), inner),
        st.builds(lambda key, value: SqlType("MAP", inner=(key, value)), NULLABLE, inner),
        st.builds(lambda one, two: SqlType("ROW", inner=(one, two), names=("x", "y")), inner, inner),
    ),
    max_leaves=4,
)


@given(KINDS)
def test_a_type_is_common_to_itself(kind: SqlType) -> None:
    common = least_restrictive([kind, kind])
    assert common is not None
    assert (common.name, common.nullable) == (kind.name, kind.nullable)
    assert can_cast(kind, common)
    assert is_comparable(kind, kind)


@given(KINDS)
def test_null_beside_a_type_only_makes_it_nullable(kind: SqlType) -> None:
    for kinds in ([SqlType("NULL"), kind], [kind, SqlType("NULL")]):
        common = least_restrictive(kinds)
        assert common is not None
        assert (common.name, common.nullable) == (kind.name, True)


@given(st.lists(NULLABLE, min_size=1, max_size=4))
def test_what_is_common_may_be_null_if_one_may(kinds: list[SqlType]) -> None:
    common = least_restrictive(kinds)
    assert common is None or common.nullable == any(kind.nullable for kind in kinds)


@given(st.lists(st.sampled_from([SqlType(name) for name in NUMERIC]), min_size=1, max_size=4))
def test_numbers_always_have_a_number_in_common(kinds: list[SqlType]) -> None:
    common = least_restrictive(kinds)
    assert common is not None
    assert common.name in NUMERIC
    assert all(can_cast(kind, common) for kind in kinds)


@given(NULLABLE, NULLABLE)
def test_what_two_are_compared_as_can_be_cast_from_both(first: SqlType, second: SqlType) -> None:
    common = comparison_type(first, second)
    if common is not None:
        assert can_cast(first, common)
        assert can_cast(second, common)
        assert common.nullable == (first.nullable or second.nullable)


@given(NULLABLE, NULLABLE)
def test_only_a_text_joins_what_has_nothing_in_common(first: SqlType, second: SqlType) -> None:
    found = wider_type([first, second])
    if found is not None and least_restrictive([first, second]) is None:
        assert {first.name, second.name} & set(TEXT) or {first.name, second.name} == {"DATE", "TIMESTAMP"}


@given(KINDS, KINDS)
def test_what_can_be_assigned_can_be_cast(source: SqlType, target: SqlType) -> None:
    if is_assignable(source, target):
        assert can_cast(source, target)


@given(NULLABLE, st.sampled_from(sorted(FAMILIES)))
def test_an_implicit_cast_leads_into_the_family_and_keeps_null(kind: SqlType, family: str) -> None:
    cast = implicit_cast(kind, family)
    if cast is not None:
        assert belongs(cast, family)
        assert cast.nullable == kind.nullable
    assert cast is not None or not belongs(kind, family)


def test_the_order_of_approximate_numbers_counts_as_in_calcite() -> None:
    single, double = SqlType("FLOAT"), SqlType("DOUBLE")
    assert least_restrictive([single, double]) == single
    assert least_restrictive([double, single]) == double
