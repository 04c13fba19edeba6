"""Of rows that are one, the first: which rows have one identity, and which of them stays. Pure functions, no Beam.

An identity is 128 bits of BLAKE2b over the values of some columns. Of the rows of an identity the one stays whose own
128 bits, over all columns, are the smallest: a choice by data, the same in any order. Among 10^9 different rows the
chance that two share a hash is about 10^-21. The form that is hashed does not depend on Arrow's layout (offsets,
slices, large or small lists); the module `blocks.flattening.row_ids` defines it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.batch_type import MAX_BYTES, MAX_ROWS
from blocks.core.errors import Problem
from blocks.core.wire import size_of, take
from blocks.flattening.row_ids import encode, id_type_problems

Digests = npt.NDArray[np.bytes_]
Part = tuple[pa.RecordBatch, Digests]
Rows = npt.NDArray[np.bool_]

_NOTHING = pa.scalar(b"", pa.large_binary())
_IDENTITY, _CONTENT = b"blocks.identity", b"blocks.content"
# numpy compares such texts without trailing zero bytes, which makes no difference where all are 16 bytes long.
_DIGEST = np.dtype("S16")
_COMPACT = 1 << 20


def identities(batch: pa.RecordBatch, columns: Sequence[str]) -> Digests:
    """16 bytes a row, equal where the columns are; null equals null, -0.0 equals 0.0, NaN equals NaN.

    Args:
      batch: any rows.
      columns: names of columns that hold single values.
    """
    return _digests([one_form(batch.column(name)) for name in columns], batch.num_rows, _IDENTITY)


def one_form(column: pa.Array) -> pa.Array:
    """Floating point in one form a value: -0 as 0, one NaN; everything else as it is. Half precision as single."""
    if not pat.is_floating(column.type):
        return column
    if pat.is_float16(column.type):
        column = column.cast(pa.float32())
    return pc.if_else(
        pc.is_nan(column), pa.scalar(float("nan"), column.type), pc.add(column, pa.scalar(0, column.type))
    )


def _digests(columns: Sequence[pa.Array], rows: int, person: bytes) -> Digests:
    if not columns:
        return np.zeros(rows, _DIGEST)
    forms = pc.binary_join_element_wise(*(encode(column) for column in columns), _NOTHING)
    # Arrow has no cryptographic hash, so this is a loop; it hashes about 1.5 million rows a second.
    hashed = b"".join(blake2b(form, digest_size=16, person=person).digest() for form in forms.to_pylist())
    return digests_of(hashed)


def digests_of(content: bytes) -> Digests:
    """The hashes in 16 bytes each."""
    return np.frombuffer(content, _DIGEST)


def shards_of(digests: Digests, shards: int) -> npt.NDArray[np.int64]:
    """The number of the shard of each identity, from 0 to `shards` - 1."""
    return (heads(digests) % np.uint64(shards)).astype(np.int64)


def heads(digests: Digests) -> npt.NDArray[np.uint64]:
    """The first 64 bits of each hash."""
    return np.ascontiguousarray(digests).view("<u8")[::2]


def gathered(parts: Iterable[Part]) -> Iterator[Part]:
    """The same rows in fewer parts: what is done once a part is not done for a few rows."""
    waiting: list[Part] = []
    size = rows = 0
    for part in parts:
        waiting.append(part)
        rows += part[0].num_rows
        size += size_of(part[0])
        if rows >= MAX_ROWS or size >= MAX_BYTES:
            yield _joined(waiting)
            waiting, rows, size = [], 0, 0
    if waiting:
        yield _joined(waiting)


def _joined(parts: list[Part]) -> Part:
    if len(parts) == 1:
        return parts[0]
    return pa.concat_batches([batch for batch, _ in parts]), np.concatenate([digests for _, digests in parts])


def first_rows(parts: Callable[[], Iterable[Part]]) -> Iterator[tuple[pa.RecordBatch, pa.RecordBatch]]:
    """The rows that stay and their duplicates, in batches of what stood together.

    Memory: about 24 bytes a row and 64 for each identity that stands more than once; rows are not kept.

    Args:
      parts: gives all (batch, identities); called up to three times, and the order may be another one each time.
    """
    repeated = _repeated([heads(digests) for _, digests in parts()])
    known, smallest = _smallest(parts, repeated)
    taken = np.zeros(len(known), np.bool_)
    for batch, digests in gathered(parts()):
        duplicate = _holds(repeated, heads(digests))
        rows = np.flatnonzero(duplicate)
        if not len(rows):
            yield batch, batch.slice(0, 0)
            continue
        places = np.searchsorted(known, digests[rows])
        fits = (contents(take(batch, pa.array(rows))) == smallest[places]) & ~taken[places]
        firsts = np.flatnonzero(fits)[np.unique(places[fits], return_index=True)[1]]
        taken[places[firsts]] = True
        duplicate[rows[firsts]] = False
        yield split_rows(batch, duplicate)


def split_rows(batch: pa.RecordBatch, marked: Rows) -> tuple[pa.RecordBatch, pa.RecordBatch]:
    """(the rows that are not marked, those that are), in their order."""
    if not marked.any():
        return batch, batch.slice(0, 0)
    return take(batch, pa.array(np.flatnonzero(~marked))), take(batch, pa.array(np.flatnonzero(marked)))


def any_null(batch: pa.RecordBatch, names: Sequence[str]) -> Rows:
    """Which rows have no value in one of some columns."""
    found = np.zeros(batch.num_rows, np.bool_)
    for name in names:
        column = batch.column(name)
        if column.null_count:
            found |= column.is_null().to_numpy(zero_copy_only=False)
    return found


def _repeated(heads: list[npt.NDArray[np.uint64]]) -> npt.NDArray[np.uint64]:
    """First halves of identities that stand more than once, in order; equal halves are looked at again as a whole."""
    together = np.concatenate(heads) if heads else np.zeros(0, np.uint64)
    together.sort()
    return np.unique(together[1:][together[1:] == together[:-1]])


def _holds(numbers: npt.NDArray[np.uint64], wanted: npt.NDArray[np.uint64]) -> Rows:
    if not len(numbers):
        return np.zeros(len(wanted), np.bool_)
    places = np.minimum(np.searchsorted(numbers, wanted), len(numbers) - 1)
    found: Rows = numbers[places] == wanted
    return found


def _smallest(parts: Callable[[], Iterable[Part]], repeated: npt.NDArray[np.uint64]) -> tuple[Digests, Digests]:
    """The identities that are looked at, in order, and for each the smallest hash of a row's content."""
    pairs: list[tuple[Digests, Digests]] = []
    waiting = 0
    for batch, digests in gathered(parts()) if len(repeated) else ():
        rows = np.flatnonzero(_holds(repeated, heads(digests)))
        if len(rows):
            pairs.append((digests[rows], contents(take(batch, pa.array(rows)))))
            waiting += len(rows)
        if waiting > _COMPACT:
            pairs, waiting = [_least(pairs)], 0
    return _least(pairs)


def _least(pairs: list[tuple[Digests, Digests]]) -> tuple[Digests, Digests]:
    known = np.concatenate([np.zeros(0, _DIGEST), *(digests for digests, _ in pairs)])
    contents = np.concatenate([np.zeros(0, _DIGEST), *(found for _, found in pairs)])
    order = np.lexsort((contents, known))
    known, contents = known[order], contents[order]
    first = np.ones(len(known), np.bool_)
    first[1:] = known[1:] != known[:-1]
    return known[first], contents[first]


def contents(batch: pa.RecordBatch) -> Digests:
    """16 bytes a row, equal where all columns are."""
    return _digests(batch.columns, batch.num_rows, _CONTENT)


def type_problems(schema: pa.Schema, where: str) -> Iterator[Problem]:
    """A problem for every column of a type whose values cannot be compared by hash."""
    for leaf in labels.leaves(schema):
        if any(id_type_problems([leaf])):
            yield Problem(
                f"values of {leaf.field.type} cannot be compared",
                f"{where}, field `{leaf.path}`",
                "cast the column before this block, or take it out",
            )


def key_problems(schema: pa.Schema, columns: Sequence[str], where: str) -> Iterator[Problem]:
    """A problem for every column that cannot be a key: nested, or masked so that it no longer tells values apart."""
    for name in columns:
        field = schema.field(name)
        mark = labels.masked_of(field)
        if labels.children(field.type):
            what = f"a key is a single value, and this is {field.type}"
            yield Problem(what, f"{where}, field `{name}`", "put FlattenRecords before, and name columns of it")
        elif mark is not None and not tells_apart(mark):
            what = f"masked by {mark.method}, it does not tell two values apart, or not one from itself"
            fix = "take columns that are masked by hmac or deterministic encryption, or that are not masked"
            yield Problem(what, f"{where}, field `{name}`", fix)


def tells_apart(mark: labels.Masked) -> bool:
    """Whether masked values are equal exactly where the values before were (but for canonical forms)."""
    options: dict[str, Any] = dict(mark.options)
    return mark.method == "hmac" or (mark.method == "encrypt" and options.get("mode", "deterministic") != "random")
