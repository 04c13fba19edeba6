"""The partner's Thrift file as a checker of single records, in plain Python: the oracle of the simulator's tests."""

import json
import re
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import thriftpy2
from thriftpy2.thrift import TType

THRIFT_FILE = Path(__file__).parents[2] / "examples" / "partner_events" / "transaction.thrift"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


@cache
def transaction() -> Any:
    return thriftpy2.load(str(THRIFT_FILE), module_name="simulated_transaction_thrift").Transaction


def parsed(line: bytes) -> Any:
    """A record with exact decimals; ValueError for anything that RFC 8259 does not allow, or a name twice."""
    return json.loads(
        line.decode("utf-8"), parse_float=Decimal, parse_constant=_no_constant, object_pairs_hook=_no_name_twice
    )


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _no_name_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len({name for name, _ in pairs}) < len(pairs):
        raise ValueError("a name stands twice")
    return dict(pairs)


def misfits(record: Any) -> list[str]:
    """Everything in a parsed record that does not fit the Thrift struct."""
    return list(_struct(record, transaction(), "$"))


def _struct(value: Any, struct: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: not an object"
        return
    annotations = getattr(struct, "__thrift_field_annotations__", {})
    # An entry is (type, name, required), or (type, name, detail of the type, required).
    fields = {spec[1]: (spec[0], spec[2] if len(spec) == 4 else None, spec[-1]) for spec in struct.thrift_spec.values()}
    for name in value.keys() - fields.keys():
        yield f"{path}.{name}: unknown"
    for name, (kind, detail, required) in fields.items():
        if value.get(name) is not None:
            yield from _value(value[name], kind, detail, annotations.get(name, {}).get("type", ""), f"{path}.{name}")
        elif required:
            yield f"{path}.{name}: missing"


def _value(value: Any, kind: int, detail: Any, arrow_type: str, path: str) -> Iterator[str]:
    if kind == TType.STRUCT:
        yield from _struct(value, detail, path)
    elif kind == TType.LIST:
        if not isinstance(value, list):
            yield f"{path}: not a list"
            return
        item_kind, item_detail = detail if isinstance(detail, tuple) else (detail, None)
        for item in value:
            yield from _value(item, item_kind, item_detail, "", path + "[]")
    elif kind == TType.MAP:
        if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
            yield f"{path}: not a map of texts"
    elif not _leaf_fits(value, kind, detail, arrow_type):
        yield f"{path}: not a {arrow_type or TType._VALUES_TO_NAMES[kind]}"


def _leaf_fits(value: Any, kind: int, detail: Any, arrow_type: str) -> bool:
    if arrow_type == "decimal128(18, 2)":
        return isinstance(value, Decimal) and value.as_tuple().exponent == -2 and len(value.as_tuple().digits) <= 18
    if arrow_type == "timestamp[us, tz=UTC]":
        return isinstance(value, str) and _TIME.fullmatch(value) is not None and _reads(datetime.fromisoformat, value)
    if arrow_type == "date32[day]":
        return isinstance(value, str) and _reads(date.fromisoformat, value)
    assert not arrow_type, f"the oracle does not know {arrow_type}"
    if kind == TType.I32 and detail is not None:
        return value in detail._NAMES_TO_VALUES
    if kind in (TType.I32, TType.I64):
        bits = 31 if kind == TType.I32 else 63
        return isinstance(value, int) and not isinstance(value, bool) and -(2**bits) <= value < 2**bits
    assert kind == TType.STRING
    return isinstance(value, str)


def _reads(reader: Any, value: str) -> bool:
    try:
        reader(value)
    except ValueError:
        return False
    return True
