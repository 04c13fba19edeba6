"""How one column is cast to another type, at any depth: planned once from the schema, then done to arrays."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels, nested
from blocks.core.errors import Problem, nearest
from blocks.core.labels import is_list
from blocks.core.schema.types import list_kind
from blocks.reading.fitting import nullable
from blocks.shaping.casting import family, leaf_cast, possible

_TARGET_LISTS = ("list", "large_list")
# A code of one of these is the same code in every width.
_SAME_CODE = ("text", "integer")


@dataclass(frozen=True)
class Failure:
    """Values that do not fit.

    Attributes:
      path: field path, names of the schema only.
      reason: what is wrong with them, without values.
      rows: which rows, or items, they are in.
    """

    path: str
    reason: str
    rows: npt.NDArray[np.bool_]


Convert = Callable[[pa.Array], tuple[pa.Array, list[Failure]]]


@dataclass(frozen=True)
class CastPlan:
    """How one column is cast.

    Attributes:
      field: the column afterwards.
      convert: gives the array, of `nullable(field.type)`, and what did not fit, which is null in it; None where nothing
        is to do.
    """

    field: pa.Field
    convert: Convert | None


def plan_cast(column: pa.Field, wanted: pa.DataType, problems: list[Problem]) -> CastPlan:
    """Plans the cast of a column; `problems` grows by every field that cannot be cast."""
    field, convert = _Planner(problems).plan(column, wanted, column.name, None)
    is_instant = pat.is_timestamp(wanted) and wanted.tz is not None
    lost = {labels.EVENT_TIME: None} if not is_instant else {}
    lost |= {labels.KEY: None} if pat.is_floating(wanted) else {}
    return CastPlan(labels.put(field, lost), convert)


class _Planner:
    def __init__(self, problems: list[Problem]) -> None:
        self._problems = problems

    def plan(
        self, before: pa.Field, wanted: pa.DataType, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert | None]:
        """(the field afterwards, the function that casts its arrays)."""
        if before.type.equals(wanted):
            return before, None
        mark = labels.masked_of(before) or (None if labels.labels_of(before) else mark)
        kinds = (before.type, wanted)
        if all(map(pat.is_struct, kinds)):
            return self._struct(before, wanted, path, mark)
        if all(map(pat.is_map, kinds)):
            return self._map(before, wanted, path, mark)
        if all(map(is_list, kinds)):
            return self._list(before, wanted, path, mark)
        return self._leaf(before, wanted, path, mark)

    def _leaf(
        self, before: pa.Field, wanted: pa.DataType, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert | None]:
        after = before.with_type(wanted)
        if not pat.is_timestamp(wanted):
            after = labels.put(after, {labels.EPOCH: None})
        cast = None if any(map(nested.is_nested, (before.type, wanted))) else leaf_cast(before.type, wanted)
        if cast is None:
            what = f"{before.type} cannot be cast to {wanted}"
            self._problems.append(Problem(what, f"column `{path}`", _instead(before.type)))
            return after, None
        if mark is not None and not (family(before.type) == family(wanted) and family(wanted) in _SAME_CODE):
            what = (
                f"it is masked by {mark.method}: as {wanted} its codes would match no column that is masked alike, "
                "and nobody could undo the mask"
            )
            self._problems.append(Problem(what, f"column `{path}`", "cast before MaskColumns, or leave it as it is"))
        reason = f"does not fit {wanted}"

        def convert(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
            result, failed = cast(array)
            return result, [] if failed is None else [Failure(path, reason, failed)]

        return after, convert

    def _struct(
        self, before: pa.Field, wanted: pa.DataType, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert]:
        known, names = [child.name for child in before.type], [child.name for child in wanted]
        for name in (name for name in names if name not in known):
            what = f"the struct has no field `{name}`"
            self._problems.append(Problem(what, f"column `{path}`", nearest(name, known)))
        for name in (name for name in known if name not in names):
            what = f"the type has no field `{name}`, and a cast drops none"
            self._problems.append(Problem(what, f"column `{path}`", f"add `{name}` to the struct in `columns`"))
        if sorted(known) != sorted(names):
            return before.with_type(wanted), _unchanged
        places = [known.index(name) for name in names]
        planned = [
            self._child(before.type.field(place), child, f"{path}.{child.name}", mark)
            for place, child in zip(places, wanted, strict=True)
        ]
        fields, converts = [field for field, _ in planned], [convert for _, convert in planned]
        loose = list(nullable(pa.struct(fields)))

        def convert_struct(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
            children, valid = nested.struct_children(array), _valid(array)
            parts, failures = [], list[Failure]()
            for place, convert in zip(places, converts, strict=True):
                part, found = convert(children[place])
                parts.append(part)
                failures += [Failure(one.path, one.reason, one.rows & valid) for one in found]
            return nested.rebuild_struct(array, parts, loose), [one for one in failures if one.rows.any()]

        return before.with_type(pa.struct(fields)), convert_struct

    def _child(
        self, before: pa.Field, wanted: pa.Field, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert]:
        """As `plan`, for a field below a column: it says itself whether it may be null."""
        field, convert = self.plan(before, wanted.type, path, mark)
        loose, convert = nullable(field.type), convert or _unchanged
        after = field.with_name(wanted.name).with_nullable(wanted.nullable)
        if wanted.nullable or not before.nullable:
            return after, lambda array: _loosened(*convert(array), loose)

        def required(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
            result, failures = _loosened(*convert(array), loose)
            if array.null_count:
                failures = [*failures, Failure(path, "is null, and must not be", ~_valid(array))]
            return result, failures

        return after, required

    def _list(
        self, before: pa.Field, wanted: pa.DataType, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert]:
        if list_kind(wanted) not in _TARGET_LISTS:
            what = f"{before.type} cannot be cast to {wanted}"
            self._problems.append(Problem(what, f"column `{path}`", "cast it to list<...> or large_list<...>"))
        item, convert = self._child(before.type.value_field, wanted.value_field, f"{path}[]", mark)
        wide = pat.is_large_list(wanted)
        data_type = pa.large_list(item) if wide else pa.list_(item)
        loose = nullable(data_type)
        make = pa.LargeListArray if wide else pa.ListArray

        def convert_list(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
            array = nested.plain(array)
            offsets, values = nested.list_parts(array)
            items, failures = convert(values)
            offsets = offsets.cast(pa.int64() if wide else pa.int32())
            mask = array.is_null() if array.null_count else None
            return make.from_arrays(offsets, items, type=loose, mask=mask), _of_parents(failures, offsets)

        return before.with_type(data_type), convert_list

    def _map(
        self, before: pa.Field, wanted: pa.DataType, path: str, mark: labels.Masked | None
    ) -> tuple[pa.Field, Convert]:
        keys = (before.type.key_type, wanted.key_type)
        if not keys[0].equals(keys[1]) and not (family(keys[0]) == family(keys[1]) and family(keys[0]) in _SAME_CODE):
            what = f"keys of a map would be cast from {keys[0]} to {keys[1]}, where different keys can become equal"
            self._problems.append(Problem(what, f"column `{path}`", f"leave the keys {keys[0]}"))
            return before, _unchanged
        key, convert_keys = self._child(before.type.key_field, wanted.key_field, path + "{key}", mark)
        item, convert_items = self._child(before.type.item_field, wanted.item_field, path + "{}", mark)
        data_type = pa.map_(key, item, keys_sorted=wanted.keys_sorted and before.type.keys_sorted)
        loose = nullable(data_type)

        def convert_map(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
            offsets, entries = nested.list_parts(array)
            found, failures = convert_keys(entries.field(0))
            items, more = convert_items(entries.field(1))
            failures = [*failures, *more]
            # A key that does not fit is null until its row is gone, and a map takes none.
            if found.null_count:
                found = entries.field(0).cast(found.type, safe=False)
            mask = array.is_null() if array.null_count else None
            result = pa.MapArray.from_arrays(offsets, found, items, type=loose, mask=mask)
            return result, _of_parents(failures, offsets)

        return before.with_type(data_type), convert_map


def _instead(data_type: pa.DataType) -> str:
    if nested.is_nested(data_type):
        return "cast it to a type of the same shape, or put FlattenRecords before this block"
    found = possible(data_type)
    if not found:
        return "leave the column as it is: this type is cast to no other"
    return f"{family(data_type)} can be cast to: {', '.join(found)}"


def _unchanged(array: pa.Array) -> tuple[pa.Array, list[Failure]]:
    return array, []


def _loosened(array: pa.Array, failures: list[Failure], loose: pa.DataType) -> tuple[pa.Array, list[Failure]]:
    """A child in the form in which its parent is put together."""
    return array if array.type.equals(loose) else array.cast(loose), failures


def _valid(array: pa.Array) -> npt.NDArray[np.bool_]:
    return np.asarray(array.is_valid().to_numpy(zero_copy_only=False))


def _of_parents(failures: list[Failure], offsets: pa.Array) -> list[Failure]:
    """Failures of the rows that the items are in."""
    if not failures:
        return failures
    lengths = np.diff(offsets.to_numpy())
    parents = np.repeat(np.arange(len(lengths)), lengths)
    found = []
    for failure in failures:
        rows = np.zeros(len(lengths), np.bool_)
        rows[parents[failure.rows]] = True
        found.append(Failure(failure.path, failure.reason, rows))
    return found
