"""Types and signatures as text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blocks.sql.functions.signatures import (
    SCALAR_TYPES,
    SignatureError,
    parse_signature,
    parse_type,
    signature_text,
)
from blocks.sql.types import SqlType

SCALARS = st.sampled_from(SCALAR_TYPES).map(SqlType)
NAMES = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)


def nested(inner):
    rows = st.lists(st.tuples(NAMES, inner), min_size=1, max_size=3, unique_by=lambda pair: pair[0])
    return st.one_of(
        inner.map(lambda one: SqlType("ARRAY", inner=(one,))),
        st.tuples(inner, inner).map(lambda pair: SqlType("MAP", inner=pair)),
        rows.map(lambda f: SqlType("ROW", inner=tuple(kind for _, kind in f), names=tuple(name for name, _ in f))),
    )


@given(st.recursive(SCALARS, nested, max_leaves=6))
def test_a_type_is_read_as_it_is_written(kind):
    assert parse_type(str(kind)) == kind


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("INT", "`INT` is no type of Beam SQL", 0),
        ("ARRAY<TEXT>", "`TEXT` is no type of Beam SQL", 6),
        ("ARRAY", "expected `<`, found the end", 5),
        ("MAP<VARCHAR>", "expected `,`, found `>`", 11),
        ("BIGINT BIGINT", "`BIGINT` stands after the end", 7),
        ("BIGINT;", "`;` stands after the end", 6),
        ("", "expected a type, found the end", 0),
    ],
)
def test_what_is_no_type_is_told_with_its_place(text, what, at):
    with pytest.raises(SignatureError) as caught:
        parse_type(text)
    assert (caught.value.what, caught.value.at) == (what, at)


def test_the_name_of_a_type_elsewhere_is_told_with_beams():
    with pytest.raises(SignatureError) as caught:
        parse_type("STRING")
    assert caught.value.fix == "write VARCHAR"


@pytest.mark.parametrize(
    ("text", "what", "at"),
    [
        ("x BIGINT RETURNS BIGINT", "expected `(`, found `x`", 0),
        ("(x BIGINT, x DOUBLE) RETURNS BIGINT", "two arguments are named `x`", 11),
        ("(X BIGINT) RETURNS BIGINT", "`X` is no name of an argument", 1),
        ("(x BIGINT) BIGINT", "`RETURNS` is missing", 11),
        ("(x BIGINT", "expected `,`, found the end", 9),
        ("(x BIGINT) RETURNS", "expected a type, found the end", 18),
    ],
)
def test_what_is_no_signature_is_told_with_its_place(text, what, at):
    with pytest.raises(SignatureError) as caught:
        parse_signature(text)
    assert (caught.value.what, caught.value.at) == (what, at)


def test_a_signature_is_shown_as_people_read_it():
    overload = parse_signature("(text VARCHAR, parts ARRAY<BIGINT>) returns MAP<VARCHAR, BIGINT>")
    assert signature_text("f", overload) == "f(text VARCHAR, parts ARRAY<BIGINT>) MAP<VARCHAR, BIGINT>"


def test_a_function_without_arguments_has_a_signature():
    assert parse_signature("() RETURNS DOUBLE").arguments == ()
