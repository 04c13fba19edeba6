"""Row ids: the same row has the same id in every batch, process, run and machine.

An id is the first 128 bits of BLAKE2b, in hex, over an unambiguous form of the values of the key columns, or of all
columns. Among 10^9 different rows the chance that two share an id is about 10^-21 (64 bits: 3 in 100).

The form, fixed for ever: a null is `~`; any other single value is its length in bytes, `:`, and its bytes (whole
numbers, dates and times as decimal text of the stored number, floating point as that of its bits, text in UTF-8,
decimals as stored in Arrow); a struct is `{` and its children; a list or map is its number of items, `[`, and the
items. A value of another type (int64 instead of decimal, milliseconds instead of microseconds) may have another id.

Source: RFC 7693 (BLAKE2); netstrings (D. J. Bernstein, 1997) for the lengths before the values.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.errors import Problem
from blocks.core.labels import PUBLIC, Leaf

ID_TYPE = pa.string()
_BYTES = pa.large_binary()
_NULL = pa.scalar(b"~", _BYTES)
_NOTHING = pa.scalar(b"", _BYTES)
_COLON = pa.scalar(b":", _BYTES)
_BRACKET = pa.scalar(b"[", _BYTES)
_PERSON = b"blocks.row_id.1"
# What these leave is the same for every row, so an id over it tells nothing about the value.
_CONSTANT_MASKS = ("null", "redact")
_REVERSIBLE_MASKS = ("encrypt",)


def row_ids(columns: Sequence[pa.Array]) -> pa.Array:
    """The ids of rows, as strings of 32 hex digits.

    Args:
      columns: the key columns, or all of them, in order; equal lengths.
    """
    rows = _joined([encode(column) for column in columns])
    # Arrow has no cryptographic hash, so this is a loop; it hashes about 1.5 million rows a second.
    hashed = [blake2b(row, digest_size=16, person=_PERSON).hexdigest() for row in rows.to_pylist()]
    return pa.array(hashed, ID_TYPE)


def encode(array: pa.Array) -> pa.Array:
    """Every value as bytes that say where they end; equal bytes for equal values only; never null."""
    array = nested.plain(array)
    kind = array.type
    if pat.is_null(kind):
        return pa.repeat(_NULL, len(array))
    if pat.is_struct(kind):
        parts = [encode(child) for child in nested.struct_children(array)]
        return _nulls(array, _joined([pa.repeat(pa.scalar(b"{", _BYTES), len(array)), *parts]))
    if pat.is_map(kind) or labels.is_list(kind):
        return _nulls(array, _encode_list(array))
    values = _scalar_bytes(array)
    return pc.fill_null(pc.binary_join_element_wise(_text(pc.binary_length(values)), values, _COLON), _NULL)


def _encode_list(array: pa.Array) -> pa.Array:
    offsets, values = nested.list_parts(array)
    offsets = offsets.cast(pa.int64())
    items = pc.binary_join(pa.LargeListArray.from_arrays(offsets, encode(values)), _NOTHING)
    counts = pc.subtract(offsets[1:], offsets[:-1])
    return pc.binary_join_element_wise(_text(counts), items.cast(_BYTES), _BRACKET)


def _scalar_bytes(array: pa.Array) -> pa.Array:
    return next(convert for fits, convert in _SCALARS if fits(array.type))(array)


def _text(numbers: pa.Array) -> pa.Array:
    return numbers.cast(pa.large_string()).cast(_BYTES)


def _bits(array: pa.Array) -> pa.Array:
    return _text(array.view({16: pa.int16(), 32: pa.int32(), 64: pa.int64()}[array.type.bit_width]))


def _stored(array: pa.Array) -> pa.Array:
    return array.view(pa.binary(array.type.bit_width // 8)).cast(_BYTES)


_SCALARS: tuple[tuple[Callable[[pa.DataType], bool], Callable[[pa.Array], pa.Array]], ...] = (
    (pat.is_boolean, lambda array: _text(array.cast(pa.uint8()))),
    (pat.is_integer, _text),
    (pat.is_floating, _bits),
    (lambda kind: pat.is_temporal(kind) and not pat.is_interval(kind), _bits),
    (pat.is_decimal, _stored),
    (lambda kind: pat.is_string(kind) or pat.is_large_string(kind), lambda array: array.cast(_BYTES)),
    (lambda kind: pat.is_binary(kind) or pat.is_large_binary(kind), lambda array: array.cast(_BYTES)),
    (pat.is_fixed_size_binary, lambda array: array.cast(_BYTES)),
    (pat.is_string_view, lambda array: array.cast(pa.string()).cast(_BYTES)),
    (pat.is_binary_view, lambda array: array.cast(pa.binary()).cast(_BYTES)),
)


def _joined(parts: Sequence[pa.Array]) -> pa.Array:
    return pc.binary_join_element_wise(*parts, _NOTHING)


def _nulls(array: pa.Array, encoded: pa.Array) -> pa.Array:
    return pc.if_else(array.is_valid(), encoded, _NULL) if array.null_count else encoded


@dataclass(frozen=True)
class IdMeaning:
    """What may be known about an id from the columns that it is made of.

    Attributes:
      label: text for `blocks.label`, or None.
      masked: text for `blocks.masked`, or None.
    """

    label: str | None
    masked: str | None


def id_meaning(leaves: Iterable[Leaf], fix: str, problems: list[Problem]) -> IdMeaning:
    """The label and mask mark of an id; a problem for every source that an id would give away.

    A plain hash of a personal value is no protection, because values can be tried. So the sources are public,
    unlabelled, or masked; an id over masked values carries their label and mark, and goes only where they go.

    Args:
      leaves: the columns that the id is made of, with their labels.
      fix: what to do, for the problems.
      problems: where to put them.
    """
    found = list(leaves)
    private = [leaf for leaf in found if leaf.labels - {PUBLIC}]
    telling = [leaf for leaf in private if not (leaf.masked and leaf.masked.method in _CONSTANT_MASKS)]
    for leaf in telling:
        names = ", ".join(sorted(leaf.labels))
        if leaf.masked is None:
            what = f"row ids would be a hash of raw values: label {names}"
            problems.append(Problem(what, f"field `{leaf.path}`", f"put MaskColumns before this block, or {fix}"))
        elif leaf.masked.method in _REVERSIBLE_MASKS:
            what = f"row ids would be made of values that UnmaskColumns changes: label {names}"
            problems.append(Problem(what, f"field `{leaf.path}`", fix))
    marks = {leaf.masked.to_json(): leaf.path for leaf in telling if leaf.masked}
    if len(marks) > 1:
        what = f"row ids would mix {len(marks)} masks, and a policy judges a column by one"
        problems.append(Problem(what, ", ".join(f"`{path}`" for path in marks.values()), fix))
    if telling:
        union = frozenset[str]().union(*(leaf.labels for leaf in telling)) - {PUBLIC}
        return IdMeaning(",".join(sorted(union)), next(iter(marks), None))
    known = all(leaf.labels for leaf in found)
    return IdMeaning(PUBLIC if found and known else None, None)


def id_type_problems(leaves: Iterable[Leaf]) -> Iterable[Problem]:
    """A problem for every leaf whose type has no fixed form in an id."""
    for leaf in leaves:
        kind = leaf.field.type
        kind = kind.value_type if pat.is_dictionary(kind) else kind
        empty = pat.is_null(kind) or pat.is_struct(kind)
        if not empty and not any(fits(kind) for fits, _ in _SCALARS):
            fix = "name other columns through key=, or cast this one"
            yield Problem(f"row ids cannot be made of {kind}", f"field `{leaf.path}`", fix)
