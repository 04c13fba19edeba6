"""The config of a block as a row of another language: what discovery says of it, and the options made of one.

| option of the block | field |
|---|---|
| text, a path, a choice, a date | STRING |
| a whole number, a number, true or false | INT64, DOUBLE, BOOLEAN |
| a list of text | ARRAY of STRING |
| everything else (mappings, policies, windows, one of several types) | STRING, its value in YAML |

A sender may give any of the fields, each also in the richer type that its language has (a MAP, a ROW, an ARRAY);
null is the default. Three fields are not the block's: see `SERVED`.
"""

import datetime
import decimal
import re
import types
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Optional

import numpy as np
from apache_beam.coders import RowCoder
from apache_beam.portability.api import external_transforms_pb2, schema_pb2
from apache_beam.typehints.schemas import named_fields_to_schema

from blocks.catalog.model import Entry
from blocks.catalog.options import REQUIRED, Option, options_of, value_kind
from blocks.core import strict_yaml
from blocks.core.errors import BlocksError, ConfigError, Problem

SERVED = {
    "config": "options in YAML, as in a snippet; instead of fields, or beside them",
    "input_schema": "schema of the input rows with their labels, FILE or FILE:NAME; without it, what the rows tell",
    "rows_policy": "policy (path, or mapping in YAML) whose destination `rows` says what may come out; "
    "the option `policy` unless given",
}
_REJECTS = (
    "bad records, in YAML: {path: FOLDER} writes files, {} gives rows as the output `rejects`; "
    "`policy` in it says what they show, the option `policy` unless given. Without it a bad record stops the pipeline"
)
# A list, a mapping in braces, or one of a `key: value` a line.
_STRUCTURE = re.compile(r"^\s*[{\[]|^\s*-(\s|$)|^\s*[\w.*\"'-]+:(\s|$)", re.MULTILINE)
_TEXT = (str, Path, datetime.date, datetime.datetime)
_NUMBERS: dict[Any, Any] = {int: np.int64, float: np.float64, bool: bool}


def block_options(entry: Entry) -> dict[str, Option]:
    """The options of a block that are sent as they are; `rejects` and inputs are none of them."""
    found = options_of(entry.load()).items()
    return {name: option for name, option in found if name != "rejects" and not option.is_input}


def config_schema(entry: Entry) -> schema_pb2.Schema:
    """What discovery says: a nullable field for each option, and those of the service.

    Options of the schema: `blocks.version` (1.2.0) and `blocks.status` (experimental, stable, deprecated).
    """
    options = block_options(entry)
    fields: list[tuple[str, Any]] = [(name, Optional[_beam_type(option)]) for name, option in options.items()]  # noqa: UP045
    described = {name: _described(option) for name, option in options.items()}
    if entry.rejects:
        described["rejects"] = _REJECTS
    described.update(SERVED)
    fields += [(name, Optional[str]) for name in described if name not in options]  # noqa: UP045
    said = [("blocks.version", entry.version), ("blocks.status", entry.status)]
    return named_fields_to_schema(fields, schema_options=said, field_descriptions=described)


def _described(option: Option) -> str:
    kind = option.kind + ("" if _is_text(option) or _beam_type(option) is not str else ", in YAML")
    needed = "required" if option.default is REQUIRED else ""
    return ". ".join(part for part in (option.description.rstrip("."), kind, needed) if part) + "."


def _beam_type(option: Option) -> Any:
    kinds = _kinds(option.annotation)
    if len(kinds) == 1 and kinds[0] in _NUMBERS:
        return _NUMBERS[kinds[0]]
    if len(kinds) == 1 and _is_list(kinds[0]) and typing.get_args(kinds[0])[:1] == (str,):
        return Sequence[str]
    return str


def _is_list(kind: Any) -> bool:
    origin = typing.get_origin(kind)
    return isinstance(origin, type) and issubclass(origin, Sequence)


def _kinds(annotation: Any) -> list[Any]:
    """The types of a union without None."""
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        return [kind for kind in typing.get_args(annotation) if kind is not type(None)]
    return [annotation]


def _is_text(option: Option) -> bool:
    """Whether the option is text and nothing else, so that it is never read as YAML."""
    return all(
        kind in _TEXT or (typing.get_origin(kind) is typing.Literal and isinstance(typing.get_args(kind)[0], str))
        for kind in _kinds(option.annotation)
    )


def decoded(payload: external_transforms_pb2.SchemaTransformPayload, where: str) -> dict[str, Any]:
    """The config row as plain values, without nulls.

    Raises:
      ConfigError: the row does not fit its schema, or has types that a config does not hold.
    """
    if not payload.configuration_schema.fields:
        return {}
    try:
        row = RowCoder(payload.configuration_schema).decode(payload.configuration_row)
    except Exception as cause:
        # Bytes from elsewhere: the coder may raise anything. They may hold a key, so they are not shown.
        fix = "send the row with the schema that it was encoded with"
        raise ConfigError(f"the config row cannot be decoded ({type(cause).__name__})", where=where, fix=fix) from cause
    plain = _plain(row, where)
    assert isinstance(plain, dict)
    return plain


def _plain(value: Any, where: str) -> Any:
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: _plain(one, where) for name, one in value._asdict().items() if one is not None}
    if isinstance(value, Mapping):
        return {str(key): _plain(one, where) for key, one in value.items()}
    if isinstance(value, np.generic):
        return value.item()
    if value is None or isinstance(value, bool | int | float | str | datetime.date):
        return value
    if isinstance(value, decimal.Decimal):
        return float(value)
    if isinstance(value, Sequence) and not isinstance(value, bytes):
        return [_plain(one, where) for one in value]
    what = f"a config cannot hold a {type(value).__name__}"
    raise ConfigError(what, where=where, fix="send it as text in YAML")


def assembled(entry: Entry, row: Mapping[str, Any], problems: list[Problem]) -> strict_yaml.Document:
    """One config out of the fields of a row and the YAML in its field `config`.

    Args:
      entry: whose options they are.
      row: from `decoded`.
      problems: grows: YAML that cannot be read, an option that stands in both.

    Returns:
      The options, in a document that knows the lines of those that came in `config`.
    """
    name = f"config of {entry.name}"
    written = _yaml(name, row["config"], problems) if row.get("config") is not None else None
    data: dict[str, Any] = {}
    marks, keys = {}, {}
    if written is not None and isinstance(written.data, dict):
        data = dict(written.data)
        marks = {("config", *path): mark for path, mark in written.marks.items() if path}
        keys = {("config", *path): mark for path, mark in written.keys.items()}
    elif written is not None and written.data is not None:
        what = f"field `config`: expected a mapping of options in YAML, got {value_kind(written.data)}"
        problems.append(Problem(what, name, "write `destination: warehouse`, an option a line"))
    options = block_options(entry)
    for field, value in row.items():
        if field == "config":
            continue
        if field in data:
            what = f"option `{field}` stands in the row and in its field `config`"
            problems.append(Problem(what, name, "give it once"))
        elif isinstance(value, str) and not (field in options and _is_text(options[field])):
            data[field] = _value(name, field, value, options.get(field), problems)
        else:
            data[field] = value
    return strict_yaml.Document(data, name, marks, keys)


def _value(name: str, field: str, text: str, option: Option | None, problems: list[Problem]) -> Any:
    """The value of a field that may hold YAML: text stays text where nothing else is meant."""
    kinds = [] if option is None else _kinds(option.annotation)
    takes_text = option is None or any(kind in _TEXT or kind is Any for kind in kinds)
    if takes_text and not _STRUCTURE.search(text) and text not in ("true", "false"):
        return text
    document = _yaml(f"{name}, field `{field}`", text, problems)
    if document is None:
        return None
    scalar = not isinstance(document.data, dict | list)
    return text if takes_text and scalar and type(document.data) not in kinds else document.data


def _yaml(name: str, text: Any, problems: list[Problem]) -> strict_yaml.Document | None:
    if not isinstance(text, str):
        problems.append(Problem(f"expected text in YAML, got {value_kind(text)}", name, "send a STRING"))
        return None
    try:
        return strict_yaml.load(name, text=text)
    except BlocksError as error:
        problems.extend(error.problems)
        return None
