"""Why a record was refused: read again, slowly, field by field. Runs only for records that the parser did not take.

The parser and the checks after it decide whether a record is good; this only explains. No text made here holds a value.
"""

import json
import math
import re
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

import pyarrow as pa

from blocks.reading.conversions import epoch_times, parse_base64, parse_date, parse_rfc_3339, parse_time
from blocks.reading.json_plan import EPOCH_TYPE, Node

# What each means is in `blocks.core.reject_codes`.
CODES = (
    "malformed_json",
    "wrong_type",
    "missing_field",
    "unknown_field",
    "bad_event_time",
    "too_large",
    "too_deep",
)


@dataclass
class Finding:
    """What is wrong with a record.

    Attributes:
      code: one of `CODES`.
      message: expected and found, without values.
      field_path: names of the schema, and positions in lists.
      unknown_name: name from the data, for `unknown_field`.
      record: what of the record fits the schema, as Python values for Arrow; None if it could not be parsed.
    """

    code: str
    message: str
    field_path: str = ""
    unknown_name: str = ""
    record: dict[str, Any] | None = None


_LONGEST_INTEGER = 1000
_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?")
_Names = tuple[str, ...]


class _NotJsonError(ValueError):
    pass


class _Number(str):
    """A number as it is written: exact, and cheap however long it is."""


def _constant(name: str) -> Any:
    raise _NotJsonError("NaN and infinities are not JSON")


class _Object(dict[str, Any]):
    """A JSON object that remembers which names stood in it twice."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        super().__init__(pairs)
        self.twice = () if len(self) == len(pairs) else tuple({name for name, _ in pairs if _count(pairs, name) > 1})


def _count(pairs: list[tuple[str, Any]], name: str) -> int:
    return sum(1 for other, _ in pairs if other == name)


def load_json(line: bytes) -> Any:
    """Strict JSON: exact numbers, no NaN, no lone surrogates.

    Raises:
      ValueError: what is wrong, without the text.
    """
    try:
        text = line.decode("utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"invalid UTF-8 at byte {error.start} of the record") from None
    try:
        value = json.loads(
            text, parse_float=_Number, parse_int=_integer, parse_constant=_constant, object_pairs_hook=_Object
        )
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.lower()} (character {error.pos} of the record)") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except _NotJsonError as error:
        raise ValueError(str(error)) from None
    if "\\u" in text and _has_surrogate(value):
        raise ValueError("half of a surrogate pair")
    return value


def _integer(text: str) -> int | _Number:
    # Python refuses to read very long ones; no integer type holds them.
    return int(text) if len(text) <= _LONGEST_INTEGER else _Number(text)


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_surrogate(item) for item in value)


def diagnose(line: bytes, nodes: tuple[Node, ...], event_time: tuple[str, ...], strict: bool) -> Finding:
    """Explains why a record does not fit. Arguments as of `read_record`."""
    finding = read_record(line, nodes, event_time, strict)
    return (
        finding if finding.code else replace(finding, code="wrong_type", message="the record does not fit the schema")
    )


def read_record(line: bytes, nodes: tuple[Node, ...], event_time: tuple[str, ...], strict: bool) -> Finding:
    """Reads one record: what fits the schema, and the first thing that does not; a code of "" if all of it fits.

    Args:
      line: the record.
      nodes: as it is read.
      event_time: path of the event time, or empty.
      strict: whether unknown fields are refused.
    """
    try:
        value = load_json(line)
    except ValueError as error:
        return Finding("malformed_json", str(error))
    reader = _Reader(event_time, strict)
    if not isinstance(value, dict):
        return Finding("wrong_type", f"expected an object, got {_kind(value)}")
    record = reader.fields(value, nodes, "", ())
    finding = reader.found or Finding("", "")
    if event_time and reader.found is None and reader.event_time is None:
        finding = Finding("bad_event_time", "missing or null", ".".join(event_time))
    finding.record = record
    return finding


class _Reader:
    def __init__(self, event_time: tuple[str, ...], strict: bool) -> None:
        self._event_time, self._strict = event_time, strict
        self.found: Finding | None = None
        self.event_time: Any = None

    def _add(self, code: str, message: str, path: str, plain: _Names, unknown_name: str = "") -> None:
        if plain == self._event_time and code in ("wrong_type", "missing_field"):
            code = "bad_event_time"
        if self.found is None:
            self.found = Finding(code, message, path, unknown_name)

    def fields(self, value: dict[str, Any], nodes: tuple[Node, ...], path: str, plain: _Names) -> dict[str, Any]:
        """The fields that fit. `path` has list positions, `plain` has names only, to compare with the event time's."""
        prefix = path + "." if path else ""
        result: dict[str, Any] = {}
        names = {node.name for node in nodes}
        for name in getattr(value, "twice", ()):
            if name in names:
                self._add("malformed_json", "the field stands twice", prefix + name, (*plain, name))
        for node in nodes:
            at = prefix + node.name
            result[node.name] = self._value(value.get(node.name), node, at, (*plain, node.name))
        if self._strict:
            for name in value:
                if name not in names:
                    self._add("unknown_field", "the schema does not have this field", path, (), name)
        return result

    def _value(self, value: Any, node: Node, path: str, plain: _Names) -> Any:
        if value is None:
            if node.required or plain == self._event_time:
                self._add("missing_field", "required, but missing or null", path, plain)
            return None
        try:
            result = self._fit(value, node, path, plain)
        except (TypeError, ValueError, ArithmeticError, pa.ArrowException):
            expected = f"expected {_shown(node)}, got {_kind(value)}"
            self._add("wrong_type", expected, path, plain)
            return None
        if plain == self._event_time:
            self.event_time = result
        return result

    def _fit(self, value: Any, node: Node, path: str, plain: _Names) -> Any:
        if node.kind == "struct":
            return self.fields(_typed(value, dict), node.children, path, plain)
        if node.kind == "list":
            (item,) = node.children
            items = enumerate(_typed(value, list))
            return [self._value(one, item, f"{path}[{number}]", (*plain, "[]")) for number, one in items]
        if node.kind == "map":
            item = node.children[1]
            # A key is data: it stays out of the path.
            below = path + "{*}"
            if getattr(value, "twice", ()):
                self._add("malformed_json", "a key stands twice", below, plain)
            return [(key, self._value(one, item, below, (*plain, "{}"))) for key, one in _typed(value, dict).items()]
        return fit_scalar(value, node)


def fit_scalar(value: Any, node: Node) -> Any:
    """A JSON scalar as the value that Arrow takes for the node's type: a Python one or an Arrow scalar.

    Python's own times have neither nanoseconds nor all years.

    Raises:
      TypeError, ValueError, ArithmeticError, ArrowException: it does not fit.
    """
    data_type = node.field.type
    match node.kind:
        case "bool":
            return _typed(value, bool)
        case "string":
            return _typed(value, str)
        case "int":
            return pa.scalar(_typed(value, int), data_type).as_py()
        case "float":
            # Text, because rounding twice, to 64 bits and then to 32, is not exact.
            result = pa.scalar(str(_number(value))).cast(data_type).as_py()
            if not math.isfinite(result):
                raise OverflowError
            return result
        case "decimal":
            number = _decimal(value)
            # Arrow takes a number far below the last digit of the type for zero.
            if number and number.copy_abs() < Decimal(1).scaleb(-data_type.scale):
                raise ValueError
            return pa.scalar(number, data_type)
        case "epoch":
            (moment,) = epoch_times(node)(pa.array([_decimal(value)], EPOCH_TYPE))
            return _there(moment)
        case "timestamp":
            return _there(pa.scalar(parse_rfc_3339(_typed(value, str), data_type), pa.int64())).cast(data_type)
        case "time":
            counts = pa.int32() if data_type.bit_width == 32 else pa.int64()
            return _there(pa.scalar(parse_time(_typed(value, str), data_type), counts)).cast(data_type)
        case "date":
            return _there(pa.scalar(parse_date(_typed(value, str)), pa.int32())).cast(data_type)
    return parse_base64(_typed(value, str), data_type)


def _there(value: pa.Scalar) -> pa.Scalar:
    if not value.is_valid:
        raise ValueError
    return value


def _number(value: Any) -> int | _Number:
    if type(value) not in (int, _Number):
        raise TypeError
    return value


def _decimal(value: Any) -> Decimal:
    """A number, or a text of one, exact."""
    text = value if type(value) is str else str(_number(value))
    if not _DECIMAL.fullmatch(text):
        raise ValueError
    return Decimal(text)


def _typed(value: Any, kind: type) -> Any:
    # True is an int to Python, and a number as it is written is a text.
    if not isinstance(value, kind) or (isinstance(value, bool) and kind is int) or isinstance(value, _Number):
        raise TypeError
    return value


def _shown(node: Node) -> str:
    kinds = {
        "timestamp": "an RFC 3339 time",
        "epoch": "an epoch number",
        "binary": "base64 text",
        "struct": "an object",
    }
    kinds |= {"map": "an object", "list": "an array"}
    return kinds.get(node.kind, str(node.field.type))


def _kind(value: Any) -> str:
    kinds: tuple[tuple[Any, str], ...] = (
        (bool, "true or false"),
        (int, "a number"),
        (_Number, "a number"),
        (str, "a string"),
        (dict, "an object"),
        (list, "an array"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
