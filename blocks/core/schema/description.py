"""A schema as a table for people: text in a terminal, HTML in a notebook."""

import html
from collections.abc import Iterator
from dataclasses import astuple, dataclass, fields

import pyarrow as pa
import pyarrow.types as pat

from blocks.core import labels
from blocks.core.errors import SchemaError
from blocks.core.schema.types import list_kind


@dataclass(frozen=True, slots=True)
class Row:
    """One field of a schema.

    Attributes:
      field: path, as `labels.leaves` writes it.
      type: Arrow type as text; `struct`, `list` or `map` where the rows below tell the rest.
      nullable: `yes` or `no`.
      labels: those that hold here, inherited ones included, comma-separated.
      masked: how it, or the nearest masked ancestor, was masked.
      role: `event time`, `key` or both.
      description: the sentence for people.
    """

    field: str
    type: str
    nullable: str
    labels: str
    masked: str
    role: str
    description: str


@dataclass(frozen=True, slots=True)
class Description:
    """A described schema; `str()` is an aligned table, `_repr_html_` one in HTML.

    Attributes:
      rows: one a field, depth first.
    """

    rows: tuple[Row, ...]

    def __str__(self) -> str:
        # Imported on use: rich is for people, and importing a schema is for pipelines.
        from rich.cells import cell_len

        table = [_HEAD, *(tuple(map(_one_line, astuple(row))) for row in self.rows)]
        widths = [max(cell_len(row[column]) for row in table) for column in range(len(_HEAD))]
        lines = (
            "  ".join(cell + " " * (width - cell_len(cell)) for cell, width in zip(row, widths, strict=True)).rstrip()
            for row in table
        )
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(name)}</th>" for name in _HEAD)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(_one_line(cell))}</td>" for cell in astuple(row)) + "</tr>"
            for row in self.rows
        )
        return f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody>\n</table>"


_HEAD = tuple(field.name for field in fields(Row))


def description_of(schema: pa.Schema) -> Description:
    """See `blocks.core.schema.describe`."""
    if not isinstance(schema, pa.Schema):
        raise SchemaError(
            f"expected a pa.Schema, got {type(schema).__name__}",
            where="describe",
            fix="give a schema, as `read_schema` or `batch.schema` gives it",
        )
    return Description(tuple(row for column in schema for row in _rows(column.name, column, frozenset(), None)))


def _rows(path: str, field: pa.Field, above: frozenset[str], masked: labels.Masked | None) -> Iterator[Row]:
    # The same inheritance as `labels.leaves`, which leaves out the containers that a reader wants to see.
    own = labels.labels_of(field)
    held, masked = (own, labels.masked_of(field)) if own else (above, labels.masked_of(field) or masked)
    role = [name for name, holds in _roles(field) if holds]
    yield Row(
        field=path,
        type=_type(field.type),
        nullable="yes" if field.nullable else "no",
        labels=", ".join(sorted(held)),
        masked=f"{masked.method} (key {masked.key})" if masked and masked.key else masked.method if masked else "",
        role=", ".join(role),
        description=labels.get(field, labels.DESCRIPTION) or "",
    )
    for suffix, child in labels.children(field.type):
        yield from _rows(path + suffix, child, held, masked)


def _roles(field: pa.Field) -> tuple[tuple[str, bool], ...]:
    return ("event time", labels.is_event_time(field)), ("key", labels.is_key(field))


def _type(data_type: pa.DataType) -> str:
    if pat.is_struct(data_type):
        return "struct"
    if pat.is_map(data_type):
        return "map"
    if pat.is_fixed_size_list(data_type):
        return f"fixed_size_list[{data_type.list_size}]"
    return list_kind(data_type) or str(data_type)


def _one_line(text: str) -> str:
    """Text that cannot break the table or steer a terminal."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in " ".join(text.split()))
