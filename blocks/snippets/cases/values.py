"""Values of YAML as values of columns, and back to what a reader of a difference can compare."""

import base64
import binascii
import json
import math
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation, localcontext
from typing import Any

import pyarrow as pa
import pyarrow.types as pat

from blocks.catalog.options import value_kind
from blocks.core import labels
from blocks.core.errors import Problem, nearest

# What stands for any value in an expected row: `{masked: hmac}`, `{any: true}`.
MATCHERS = ("masked", "any")


class UnfitError(ValueError):
    """A value that does not fit its column; the text says what was expected, never the value."""


def is_matcher(value: Any, kind: pa.DataType) -> bool:
    """Whether an expected value is a matcher; of a struct or a map it is a value."""
    return isinstance(value, Mapping) and len(value) == 1 and next(iter(value)) in MATCHERS and not _keyed(kind)


def _keyed(kind: pa.DataType) -> bool:
    return bool(pat.is_struct(kind) or pat.is_map(kind))


def fitted(value: Any, kind: pa.DataType) -> Any:
    """A value of YAML as Arrow takes it for a type.

    Decimals, dates and times may be text; times without an offset are in UTC; bytes are `base64:...` or UTF-8 text.

    Raises:
      UnfitError: it does not fit.
    """
    if value is None:
        return None
    if pat.is_dictionary(kind):
        return fitted(value, kind.value_type)
    if pat.is_struct(kind):
        return _struct(value, kind)
    if pat.is_map(kind):
        if not isinstance(value, Mapping):
            raise UnfitError(f"expected a mapping, got {value_kind(value)}")
        return [
            (fitted(_key(key, kind.key_type), kind.key_type), fitted(one, kind.item_type)) for key, one in value.items()
        ]
    if labels.is_list(kind):
        if not isinstance(value, list):
            raise UnfitError(f"expected a list, got {value_kind(value)}")
        return [fitted(one, kind.value_type) for one in value]
    found = _plain(value, kind)
    try:
        held = pa.scalar(found, kind).as_py()
        # Arrow cuts times to the unit of the type, and a test that is wrong would pass.
        if isinstance(found, datetime | time) and held != found:
            raise ValueError
        return held
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError, OverflowError, ValueError):
        raise UnfitError(f"expected {kind}, got {value_kind(value)} that does not fit") from None


def _struct(value: Any, kind: pa.DataType) -> dict[str, Any]:
    names = [kind.field(number).name for number in range(kind.num_fields)]
    if not isinstance(value, Mapping):
        raise UnfitError(f"expected a mapping, got {value_kind(value)}")
    for name in value:
        if name not in names:
            raise UnfitError(f"no field `{name}`; {nearest(str(name), names)}")
    return {name: fitted(value.get(name), kind.field(name).type) for name in names}


def _key(key: str, kind: pa.DataType) -> Any:
    # Keys of YAML are text here, whatever they look like.
    return int(key) if pat.is_integer(kind) and key.lstrip("-").isdigit() else key


def _plain(value: Any, kind: pa.DataType) -> Any:
    unfit = UnfitError(f"expected {kind}, got {value_kind(value)}")
    if pat.is_string(kind) or pat.is_large_string(kind) or pat.is_string_view(kind):
        if not isinstance(value, str):
            raise UnfitError(f"expected text, got {value_kind(value)}: put it in quotes")
        return value
    if pat.is_boolean(kind) != isinstance(value, bool):
        raise unfit
    try:
        if pat.is_decimal(kind):
            return _decimal(value, kind)
        if pat.is_integer(kind) and not isinstance(value, int):
            raise unfit
        if pat.is_floating(kind):
            return _float(value)
        if pat.is_date(kind):
            return _date(value)
        if pat.is_timestamp(kind):
            return _moment(value, kind)
        if pat.is_time(kind):
            return value if isinstance(value, time) else time.fromisoformat(_microseconds(str(value)))
        if pat.is_binary(kind) or pat.is_large_binary(kind) or pat.is_fixed_size_binary(kind):
            text = str(value)
            return base64.b64decode(text[7:], validate=True) if text.startswith("base64:") else text.encode()
    except (ValueError, TypeError, InvalidOperation, binascii.Error) as cause:
        raise (cause if isinstance(cause, UnfitError) else unfit) from None
    return value


def _decimal(value: Any, kind: pa.DataType) -> Decimal:
    given = Decimal(str(value))
    with localcontext() as context:
        # Of the default context, 28 digits, values of the widest types would not fit.
        context.prec = 100
        held = given.quantize(Decimal(1).scaleb(-kind.scale))
    if held != given:
        raise UnfitError(f"expected {kind}, got {value_kind(value)} that does not fit: more than {kind.scale} decimals")
    return held


def _float(value: Any) -> float:
    held = float(value)
    if isinstance(value, int) and held != value:
        raise UnfitError(f"expected a float, got {value_kind(value)} that does not fit: it has too many digits")
    return held


def _microseconds(text: str) -> str:
    """The text of a time. Python cuts what is finer than microseconds, and a test that is wrong would pass."""
    finer = re.search(r"[.,]\d{6}(\d+)", text)
    if finer and finer[1].strip("0"):
        raise UnfitError("expected a time, got one that does not fit: finer than microseconds")
    return text


def _date(value: Any) -> date:
    if isinstance(value, datetime):
        raise TypeError
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _moment(value: Any, kind: pa.DataType) -> datetime:
    if isinstance(value, date) and not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    moment = value if isinstance(value, datetime) else datetime.fromisoformat(_microseconds(str(value)))
    if kind.tz is None:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo is not None else moment
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def row_problems(row: Mapping[str, Any], schema: pa.Schema, expected: bool) -> list[tuple[str, Problem]]:
    """(column, problem) of every value of a row that its column cannot have, and of columns that are not there.

    Args:
      row: as in the file.
      schema: of the step.
      expected: whether matchers may stand in it.
    """
    found = []
    for name, value in row.items():
        if name not in schema.names:
            found.append((name, Problem(f"no column `{name}`", "", nearest(name, schema.names))))
            continue
        column = schema.field(name)
        if expected and is_matcher(value, column.type):
            problem = _matcher_problem(value, column)
            found += [(name, problem)] if problem else []
            continue
        try:
            fitted(value, column.type)
        except UnfitError as error:
            found.append((name, Problem(f"column `{name}`: {error}", "", f"the column is {column.type}")))
    if not expected:
        for column in schema:
            if not column.nullable and row.get(column.name) is None:
                found.append((column.name, Problem(f"column `{column.name}` is never null", "", "give it a value")))
    return found


def _matcher_problem(value: Mapping[str, Any], column: pa.Field) -> Problem | None:
    ((how, method),) = value.items()
    if how == "any":
        return None if method is True else Problem("`any` is true", "", "write {any: true}")
    mark = labels.masked_of(column)
    if mark is None:
        return Problem(f"column `{column.name}` is not masked", "", "write the value, or {any: true}")
    if mark.method != method:
        return Problem(f"column `{column.name}` is masked with {mark.method}", "", f"write {{masked: {mark.method}}}")
    return None


def batch_of(rows: Sequence[Mapping[str, Any]], schema: pa.Schema) -> pa.RecordBatch:
    """Rows of YAML as a batch; columns that a row does not name are null."""
    columns = [pa.array([fitted(row.get(one.name), one.type) for row in rows], one.type) for one in schema]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def record_of(value: Any) -> bytes:
    """A row as one JSON record, as a partner would send it; a text is a record as it is."""
    if isinstance(value, str):
        return value.encode()
    return json.dumps(value, default=_iso, ensure_ascii=False).encode()


def _iso(value: Any) -> str:
    if isinstance(value, datetime):
        return (value if value.tzinfo is not None else value.replace(tzinfo=UTC)).isoformat()
    return value.isoformat() if isinstance(value, date | time) else str(value)


def comparable(value: Any) -> Any:
    """A value that is equal to another exactly if both are the same: NaN too, maps in any order."""
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, Mapping):
        return tuple(sorted((key, comparable(one)) for key, one in value.items()))
    if isinstance(value, list) and value and all(isinstance(one, tuple) and len(one) == 2 for one in value):
        return tuple(sorted(((comparable(key), comparable(one)) for key, one in value), key=repr))
    if isinstance(value, list | tuple):
        return tuple(comparable(one) for one in value)
    return value
