"""mask and its relatives: ksqlDB's documented examples, by code point; redact, null and keep."""

import unicodedata

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mask_cases import masked, method
from pydantic import ValidationError

from blocks.core.errors import SchemaError

EXAMPLE = "My Test $123"


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        # ksqlDB reference, "Scalar functions": MASK, MASK_KEEP_LEFT, MASK_KEEP_RIGHT, MASK_LEFT, MASK_RIGHT.
        ("mask", {}, "Xx-Xxxx--nnn"),
        ("mask", {"upper": "*", "lower": None, "digit": "1", "other": None}, "*y *est $111"),
        ("mask_keep_left", {"n": 4}, "My Txxx--nnn"),
        ("mask_keep_left", {"n": 4, "upper": "*", "lower": None, "digit": "1", "other": None}, "My Test $111"),
        ("mask_keep_right", {"n": 4}, "Xx-Xxxx-$123"),
        ("mask_keep_right", {"n": 4, "upper": "*", "lower": None, "digit": "1", "other": None}, "*y *est $123"),
        ("mask_left", {"n": 4}, "Xx-Xest $123"),
        ("mask_left", {"n": 4, "upper": "*", "lower": None, "digit": "1", "other": None}, "*y *est $123"),
        ("mask_right", {"n": 4}, "My Test -nnn"),
        ("mask_right", {"n": 4, "upper": "*", "lower": None, "digit": "1", "other": None}, "My Test $111"),
        # Longer than the value: all of it is masked, or kept.
        ("mask_left", {"n": 100}, "Xx-Xxxx--nnn"),
        ("mask_right", {"n": 100}, "Xx-Xxxx--nnn"),
        ("mask_keep_left", {"n": 100}, EXAMPLE),
        ("mask_keep_right", {"n": 100}, EXAMPLE),
        ("mask_keep_left", {"n": 0}, "Xx-Xxxx--nnn"),
        ("mask_keep_right", {"n": 100, "at_least": 5}, "Xx-Xxst $123"),
        ("mask_keep_left", {"n": 100, "at_least": 4}, "My Test -nnn"),
        ("mask_keep_left", {"n": 2, "at_least": 100}, "Xx-Xxxx--nnn"),
    ],
)
def test_the_documented_examples(name: str, options: dict[str, object], expected: str) -> None:
    assert masked(pa.array([EXAMPLE, None, ""]), name, **options).to_pylist() == [expected, None, ""]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("\U0001f600aB", "-xX"),  # an astral character is one character
        ("\U0001d400\U0001d41a\U0001d7d8", "Xxn"),  # mathematical A, a and 0
        ("e\u0301É", "x-X"),  # a combining mark is a character of its own, a composed letter one
        ("ßΣσς", "xXxx"),
        ("Ⅷⓐªǅ漢ʰ", "------"),  # numerals, circled, ordinals, title case: neither Lu nor Ll
        ("٣३²½", "nn--"),  # decimal digits of any script, and digits that are not decimal
        ("a\tb\n", "x-x-"),
    ],
)
def test_a_character_is_a_code_point_and_its_class_the_unicode_category(text: str, expected: str) -> None:
    assert masked(pa.array([text]), "mask").to_pylist() == [expected]


def test_keeping_counts_code_points_too() -> None:
    (found,) = masked(pa.array(["\U0001f600e\u0301x"]), "mask_keep_right", n=2).to_pylist()
    assert found == "-x\u0301x"


@given(st.text(), st.integers(1, 8))
def test_length_stays_and_exactly_the_promised_part_changes(text: str, n: int) -> None:
    array = pa.array([text])
    (whole,) = masked(array, "mask").to_pylist()
    assert len(whole) == len(text)
    assert set(whole) <= set("Xxn-")
    assert masked(array, "mask_left", n=n)[0].as_py() == whole[:n] + text[n:]
    assert masked(array, "mask_keep_left", n=n)[0].as_py() == text[:n] + whole[n:]
    right = max(len(text) - n, 0)
    assert masked(array, "mask_right", n=n)[0].as_py() == text[:right] + whole[right:]
    assert masked(array, "mask_keep_right", n=n)[0].as_py() == whole[:right] + text[right:]


_CHARACTERS = st.fixed_dictionaries(
    {"upper": st.sampled_from(["X", "Ä", None]), "digit": st.sampled_from(["n", "\U0001f600", None])}
)


def _one_by_one(text: str, name: str, n: int, upper: str | None, digit: str | None) -> str:
    """The mask as its definition has it; `unicodedata` of every Python knows these characters."""
    start, stop = {
        "mask": (0, len(text)),
        "mask_left": (0, n),
        "mask_right": (max(len(text) - n, 0), len(text)),
        "mask_keep_left": (n, len(text)),
        "mask_keep_right": (0, max(len(text) - n, 0)),
    }[name]
    instead = {"Lu": upper, "Ll": "x", "Nd": digit}
    characters = (instead.get(unicodedata.category(one), "-") or one for one in text)
    return "".join(
        new if start <= at < stop else one for at, (one, new) in enumerate(zip(text, characters, strict=True))
    )


@given(
    st.lists(
        st.none()
        | st.text("aZ9 -éÉß٣漢\u0301\U0001f600\U0001d400\x00\x7f\x80\u07ff\u0800\uffff\U00010000", max_size=9),
        max_size=9,
    ),
    st.sampled_from(["mask", "mask_left", "mask_right", "mask_keep_left", "mask_keep_right"]),
    st.integers(1, 9),
    _CHARACTERS,
    st.integers(0, 3),
)
def test_a_column_is_masked_as_its_values_are_one_by_one(
    texts: list[str | None], name: str, n: int, characters: dict[str, str | None], cut: int
) -> None:
    array = pa.array(["Before 1", *texts], pa.string()).slice(cut)
    expected = [None if text is None else _one_by_one(text, name, n, **characters) for text in array.to_pylist()]
    options = characters if name == "mask" else {**characters, "n": n}
    found = masked(array, name, **options)
    found.validate(full=True)
    assert found.to_pylist() == expected


def test_what_stands_below_a_null_is_neither_read_nor_passed_on() -> None:
    # Half a character: no text, which is legal where the value is null.
    array = pa.Array.from_buffers(
        pa.string(), 2, [pa.py_buffer(b"\x02"), pa.array([0, 4, 5], pa.int32()).buffers()[1], pa.py_buffer(b"\xf0SecA")]
    )
    found = masked(array, "mask")
    found.validate(full=True)
    assert found.to_pylist() == [None, "X"]
    assert b"Sec" not in found.buffers()[2].to_pybytes()


@pytest.mark.parametrize(("name", "expected"), [("mask_left", "Xx-n"), ("mask_keep_right", "Ab-1")])
def test_a_number_longer_than_any_text_is_all_of_it(name: str, expected: str) -> None:
    assert masked(pa.array(["Ab-1"]), name, n=10**30).to_pylist() == [expected]


def test_integers_are_masked_as_their_text() -> None:
    assert masked(pa.array([-1204, None, 7]), "mask_keep_right", n=2).to_pylist() == ["-nn04", None, "7"]


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view()])
def test_every_string_type_becomes_a_string(kind: pa.DataType) -> None:
    assert masked(pa.array(["Ab1", None], kind), "mask").to_pylist() == ["Xxn", None]


@pytest.mark.parametrize("kind", [pa.float64(), pa.bool_(), pa.date32(), pa.binary()])
def test_other_types_are_refused_with_what_to_choose(kind: pa.DataType) -> None:
    with pytest.raises(SchemaError, match="`mask` masks text and integers") as caught:
        method("mask").output_type(kind)
    assert "drop or hmac" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("mask_left", {"n": 0}),
        ("mask_right", {"n": 0}),
        ("mask_left", {}),
        ("mask_left", {"n": -1}),
        ("mask_left", {"n": True}),
        ("mask_left", {"n": "4"}),
        ("mask_keep_left", {"n": -1}),
        ("mask", {"upper": ""}),
        ("mask", {"upper": "XX"}),
        ("mask", {"upper": None, "lower": None, "digit": None, "other": None}),
        ("mask", {"n": 3}),
    ],
)
def test_options_that_mask_nothing_or_are_none_are_refused(name: str, options: dict[str, object]) -> None:
    from blocks.core.policy import _METHOD

    with pytest.raises(ValidationError):
        _METHOD.validate_python({"method": name, **options})


def test_redact_writes_one_text_for_every_value_and_leaves_nulls() -> None:
    assert masked(pa.array([1, None, 2]), "redact").to_pylist() == ["[redacted]", None, "[redacted]"]
    assert masked(pa.array(["a"]), "redact", text="?").to_pylist() == ["?"]


def test_null_keeps_the_type_and_no_value() -> None:
    found = masked(pa.array([1, None, 2], pa.int16()), "null")
    assert found.to_pylist() == [None, None, None]
    assert found.type == pa.int16()


def test_keep_is_the_same_array() -> None:
    array = pa.array([1, None])
    assert masked(array, "keep") is array
