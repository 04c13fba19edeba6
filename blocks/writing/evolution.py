"""What may change about a table's columns: a new nullable column and a wider type; all else is an error.

Types are compared as Arrow types of data files (`table_schema.file_schema`) and of storable schemas, which have one
form for each Iceberg type. Source: Apache Iceberg table specification, "Schema Evolution".
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.types as pat

from blocks.core.errors import Problem, SchemaError, all_problems

_WIDER = {(pa.int32(), pa.int64()), (pa.float32(), pa.float64())}


MASK_FIX = (
    "values of two masks never join: after a change of the policy, or of a key, write a new table from the source, "
    "or rename the column"
)


@dataclass(frozen=True, slots=True)
class Change:
    """One difference between a table and what comes to it.

    Attributes:
      path: of the field, as `labels.Leaf.path`.
      what: for people.
      safe: whether evolution may apply it.
      fix: what to do where it is not safe.
    """

    path: str
    what: str
    safe: bool
    fix: str = "write to another table, or cast or rename the column before this block"


def changes(have: pa.Schema, come: pa.Schema) -> Iterator[Change]:
    """Every difference that the table cannot take as it is.

    Args:
      have: columns of the table.
      come: columns of the input, storable. Narrower types and columns that are missing but nullable are no difference.
    """
    yield from _fields("", list(have), list(come))


def _fields(prefix: str, have: list[pa.Field], come: list[pa.Field]) -> Iterator[Change]:
    coming = {field.name: field for field in come}
    for field in have:
        path = prefix + field.name
        if field.name not in coming:
            if not field.nullable:
                yield Change(path, "is required in the table and missing in the input", False)
            continue
        yield from _field(path, field, coming[field.name])
    known = {field.name for field in have}
    for field in come:
        if field.name not in known:
            what = "is new" if field.nullable else "is new and not nullable: older rows have no value for it"
            yield Change(prefix + field.name, what, field.nullable)


def _field(path: str, have: pa.Field, come: pa.Field) -> Iterator[Change]:
    if come.nullable and not have.nullable:
        yield Change(path, "is required in the table and may be null in the input", False)
    yield from _types(path, have.type, come.type)


def _types(path: str, have: pa.DataType, come: pa.DataType) -> Iterator[Change]:
    if pat.is_struct(have) and pat.is_struct(come):
        yield from _fields(path + ".", list(have), list(come))
    elif pat.is_list(have) and pat.is_list(come):
        yield from _field(path + "[]", have.value_field, come.value_field)
    elif pat.is_map(have) and pat.is_map(come):
        if have.key_type != come.key_type:
            yield Change(path + "{key}", f"is {have.key_type} in the table and {come.key_type} in the input", False)
        yield from _field(path + "{}", have.item_field, come.item_field)
    elif have != come and not _widens(come, have):
        yield Change(path, f"is {have} in the table and {come} in the input", _widens(have, come))


def _widens(narrow: pa.DataType, wide: pa.DataType) -> bool:
    if pat.is_decimal(narrow) and pat.is_decimal(wide):
        return bool(narrow.scale == wide.scale and narrow.precision <= wide.precision)
    return (narrow, wide) in _WIDER


def mask_changes(have: Mapping[str, Mapping[str, str]], come: Mapping[str, Mapping[str, str]]) -> Iterator[Change]:
    """A difference for every column that would hold values of two masks: such values never join.

    Args:
      have: what the table says about its fields, by path (`table_schema.meaning`, read).
      come: the same of the input.
    """
    for path in have.keys() & come.keys():
        if have[path].get("masked") != come[path].get("masked"):
            before, after = _mask(have[path]), _mask(come[path])
            yield Change(path, f"is {before} in the table and {after} in the input", False, MASK_FIX)


def _mask(kept: Mapping[str, str]) -> str:
    if "masked" not in kept:
        return "not masked"
    mask = json.loads(kept["masked"])
    return f"masked by {mask['method']}" + (f" with key {mask['key']}" if mask["key"] else "")


def check_evolution(found: list[Change], allowed: bool, table: str) -> bool:
    """Refuses what may not change.

    Returns:
      Whether there is something to evolve.

    Raises:
      SchemaError: every difference that is not safe, or, when evolution is not allowed, every one.
    """
    with all_problems(f"table `{table}`", SchemaError) as problems:
        for change in found:
            if not (change.safe and allowed):
                fix = "allow_evolution=True lets the table take it" if change.safe else change.fix
                problems.append(Problem(f"`{change.path}` {change.what}", "", fix))
    return bool(found)
