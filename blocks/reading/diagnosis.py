"""Why a record was refused: read again, slowly, field by field. Runs only for records that the parser did not take.

The parser and the checks after it decide whether a record is good; this only explains. No text made here holds a value.
"""

import json
import math
from base64 import b64decode
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import pyarrow as pa

from blocks.core import labels
from blocks.reading.conversions import parse_rfc_3339
from blocks.reading.json_plan import Node

CODES = {
    "malformed_json": "not JSON (RFC 8259): syntax, invalid UTF-8, NaN or infinity, a field of the schema given twice",
    "wrong_type": "a field has a value that does not fit its type",
    "missing_field": "a required field is missing or null",
    "unknown_field": "a field that the schema does not have (only with strict=True)",
    "bad_event_time": "the event time is missing, null or no time",
    "too_large": "the record has more than max_record_bytes",
    "too_deep": "the record is nested deeper than max_depth",
}


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


class _NotJsonError(ValueError):
    pass


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
        value = json.loads(text, parse_float=Decimal, parse_constant=_constant, object_pairs_hook=_Object)
    except json.JSONDecodeError as error:
        raise ValueError(f"{error.msg.lower()} at character {error.pos} of the record") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except _NotJsonError as error:
        raise ValueError(str(error)) from None
    if "\\u" in text and _has_surrogate(value):
        raise ValueError("half of a surrogate pair")
    return value


def _has_surrogate(value: Any) -> bool:
    if isinstance(value, str):
        return any("\ud800" <= character <= "\udfff" for character in value)
    if isinstance(value, dict):
        return any(_has_surrogate(key) or _has_surrogate(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_surrogate(item) for item in value)


def diagnose(line: bytes, nodes: tuple[Node, ...], event_time: str, strict: bool) -> Finding:
    """Explains why a record does not fit.

    Args:
      line: the record.
      nodes: as it is read.
      event_time: dotted path of the event time, or empty.
      strict: whether unknown fields are refused.
    """
    try:
        value = load_json(line)
    except ValueError as error:
        return Finding("malformed_json", str(error))
    reader = _Reader(event_time, strict)
    if not isinstance(value, dict):
        return Finding("wrong_type", f"expected an object, got {_kind(value)}")
    record = reader.fields(value, nodes, "", "")
    finding = reader.found or Finding("wrong_type", "the record does not fit the schema")
    if event_time and reader.found is None and reader.event_time is None:
        finding = Finding("bad_event_time", "missing or null", event_time)
    finding.record = record
    return finding


class _Reader:
    def __init__(self, event_time: str, strict: bool) -> None:
        self._event_time, self._strict = event_time, strict
        self.found: Finding | None = None
        self.event_time: Any = None

    def _add(self, code: str, message: str, path: str, plain: str, unknown_name: str = "") -> None:
        if plain == self._event_time and code in ("wrong_type", "missing_field"):
            code = "bad_event_time"
        if self.found is None:
            self.found = Finding(code, message, path, unknown_name)

    def fields(self, value: dict[str, Any], nodes: tuple[Node, ...], path: str, plain: str) -> dict[str, Any]:
        """The fields that fit. `path` has list positions, `plain` has names only, to compare with the event time's."""
        prefix, plain_prefix = (path + "." if path else ""), (plain + "." if plain else "")
        result: dict[str, Any] = {}
        names = {node.name for node in nodes}
        for name in getattr(value, "twice", ()):
            if name in names:
                self._add("malformed_json", "the field stands twice", prefix + name, plain_prefix + name)
        for node in nodes:
            at = prefix + node.name
            result[node.name] = self._value(value.get(node.name), node, at, plain_prefix + node.name)
        if self._strict:
            for name in value:
                if name not in names:
                    self._add("unknown_field", "the schema does not have this field", path, "", name)
        return result

    def _value(self, value: Any, node: Node, path: str, plain: str) -> Any:
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

    def _fit(self, value: Any, node: Node, path: str, plain: str) -> Any:
        if node.kind == "struct":
            return self.fields(_typed(value, dict), node.children, path, plain)
        if node.kind == "list":
            (item,) = node.children
            items = enumerate(_typed(value, list))
            return [self._value(one, item, f"{path}[{number}]", plain + "[]") for number, one in items]
        if node.kind == "map":
            item = node.children[1]
            # A key is data: it stays out of the path.
            return [
                (key, self._value(one, item, path + "{*}", plain + "{}")) for key, one in _typed(value, dict).items()
            ]
        return fit_scalar(value, node)


def fit_scalar(value: Any, node: Node) -> Any:
    """A JSON scalar as the Python value that Arrow takes for the node's type.

    Raises:
      TypeError, ValueError, ArithmeticError, ArrowException: it does not fit.
    """
    data_type = node.field.type
    if node.kind == "bool":
        return _typed(value, bool)
    if node.kind == "string":
        return _typed(value, str)
    if node.kind == "int":
        if isinstance(value, bool):
            raise TypeError
        return pa.scalar(_typed(value, int), data_type).as_py()
    if node.kind == "float":
        result = float(_number(value))
        if not math.isfinite(result):
            raise OverflowError
        return result
    if node.kind == "decimal":
        return pa.scalar(_number(value, text=True), pa.decimal256(76, 30)).cast(data_type).as_py()
    if node.kind == "epoch":
        return _epoch(_number(value, text=True), node)
    if node.kind == "timestamp":
        moment = parse_rfc_3339(_typed(value, str), data_type)
        if moment is None:
            raise ValueError
        return pa.scalar(moment, pa.int64()).cast(data_type).as_py()
    if node.kind == "binary":
        return b64decode(_typed(value, str), validate=True)
    return pa.scalar(_typed(value, str)).cast(data_type).as_py()


def _epoch(value: Decimal, node: Node) -> Any:
    per_second = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
    unit = labels.get(node.field, labels.EPOCH) or "s"
    count = math.floor(value * per_second[node.field.type.unit] / per_second[unit])
    return pa.scalar(count, pa.int64()).cast(node.field.type).as_py()


def _number(value: Any, text: bool = False) -> Decimal:
    if isinstance(value, bool) or not isinstance(value, (int, Decimal, str) if text else (int, Decimal)):
        raise TypeError
    try:
        return Decimal(value)
    except InvalidOperation:
        raise ValueError from None


def _typed(value: Any, kind: type) -> Any:
    if not isinstance(value, kind):
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
        (Decimal, "a number"),
        (str, "a string"),
        (dict, "an object"),
        (list, "an array"),
    )
    return next((name for kind, name in kinds if isinstance(value, kind)), "null")
